//! What a Lync client asks of the server by SERVICE, and what is kept on disk before it is answered.

use super::endpoint::Endpoint;
use super::server::DOMAIN;

/// The body that adds a contact, and its media type.
pub fn contact(contact: &str) -> (String, &'static str) {
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:m=\"http://schemas.microsoft.com/winrtc/2002/11/sip\"><s:Body><m:setContact>\
         <m:displayName>{contact}</m:displayName><m:groups>1</m:groups>\
         <m:subscribed>true</m:subscribed><m:URI>sip:{contact}@{DOMAIN}</m:URI>\
         <m:externalURI /><m:deltaNum>1</m:deltaNum></m:setContact></s:Body></s:Envelope>"
    );
    (body, "application/SOAP+xml")
}

/// The body that publishes a note of `user` for those who may see notes, and its media type;
/// `version` is that of the note there is.
pub fn note(user: &str, text: &str, version: u32) -> (String, &'static str) {
    let notes: String = [200, 300, 400]
        .into_iter()
        .map(|container| {
            format!(
                "<publication categoryName=\"note\" instance=\"0\" container=\"{container}\" \
                 version=\"{version}\" expireType=\"static\">\
                 <note xmlns=\"http://schemas.microsoft.com/2006/09/sip/note\">\
                 <body type=\"personal\" uri=\"\">{text}</body></note></publication>"
            )
        })
        .collect();
    let body = format!(
        "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\">\
         <publications uri=\"sip:{user}@{DOMAIN}\">{notes}</publications></publish>"
    );
    (body, "application/msrtc-category-publish+xml")
}

/// A SERVICE of an endpoint to itself.
pub fn request(endpoint: &mut Endpoint, (body, media_type): (String, &str)) -> String {
    let own = endpoint.user.clone();
    endpoint.request("SERVICE", &own, &format!("Content-Type: {media_type}\r\n"), &body)
}

/// Adds a contact, and waits for the status of the answer.
pub fn add_contact(endpoint: &mut Endpoint, name: &str) -> u16 {
    let request = request(endpoint, contact(name));
    endpoint.stream.write(request);
    endpoint.final_answer().status()
}
