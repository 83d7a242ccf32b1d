//! The table of a presence document.

use super::*;
use crate::admin::report::{ContainerReport, EndpointReport, PublicationReport, SubscriberReport};

fn busy() -> StateReport {
    StateReport {
        availability: 6500,
        class: "busy".to_owned(),
        activity: Some("in-a-meeting".to_owned()),
        location: Some("Office".to_owned()),
        meeting_subject: None,
        meeting_location: None,
        last_active: None,
    }
}

#[test]
fn everything_has_its_place() {
    let report = PresenceReport {
        state: busy(),
        endpoints: vec![EndpointReport {
            connection: "00000000000100000001".to_owned(),
            transport: "tls".to_owned(),
            dialect: "ms".to_owned(),
            epid: None,
            user_agent: Some("UCCAPI/15".to_owned()),
            expires_s: 300,
        }],
        publications: vec![PublicationReport {
            category: "note".to_owned(),
            instance: 0,
            container: 400,
            version: 3,
            life: "static".to_owned(),
            published: "2026-11-21T09:01:02Z".to_owned(),
            text: "personal: back\nsoon".to_owned(),
        }],
        containers: vec![ContainerReport {
            id: 300,
            name: "workgroup".to_owned(),
            version: 1,
            members: vec!["bob@example.test".to_owned()],
        }],
        subscribers: vec![SubscriberReport {
            address: "carol@example.test".to_owned(),
            acknowledged: false,
        }],
        seen: Some(SeenReport {
            watcher: "bob@example.test".to_owned(),
            level: 300,
            level_name: "workgroup".to_owned(),
            state: Some(busy()),
            card: vec!["name Alice".to_owned()],
            notes: Vec::new(),
            others: vec!["services 0".to_owned()],
        }),
    };
    assert_eq!(
        table(&report),
        "\
state  6500 busy, in-a-meeting, at Office
endpoints  1
  CONNECTION            BY   DIALECT  EPID  EXPIRES  USER AGENT
  00000000000100000001  tls  ms             300 s    UCCAPI/15
publications  1
  CATEGORY  INSTANCE  CONTAINER  VERSION  PUBLISHED             LIFE    SAYS
  note      0         400        3        2026-11-21T09:01:02Z  static  personal: back soon
containers  1
  ID   LEVEL      VERSION  MEMBERS
  300  workgroup  1        bob@example.test
added by  1
  ADDRESS             NOTICE
  carol@example.test  not seen
bob@example.test sees, at level 300 workgroup
  WHAT   SAYS
  state  6500 busy, in-a-meeting, at Office
  card   name Alice
  other  services 0
"
    );
}
