//! Why a publication was refused (MS-PRES section 2.2.2.2), `application/msrtc-fault+xml`.

use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "application/msrtc-fault+xml";

/// An operation that rests on a version which is not the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its position in the request, from 1.
    pub index: u32,
    /// The version it rests on.
    pub version: u32,
    /// The current one.
    pub current: u32,
}

/// The fault for operations that rest on wrong versions.
pub fn wrong_delta(operations: impl IntoIterator<Item = Operation>) -> String {
    let mut writer = Writer::new();
    writer.start("Fault").leaf("Faultcode", "Client.BadCall.WrongDelta").start("details");
    for operation in operations {
        writer
            .start("operation")
            .attribute_of("index", operation.index)
            .attribute_of("version", operation.version)
            .attribute_of("curVersion", operation.current)
            .end();
    }
    writer.finish()
}
