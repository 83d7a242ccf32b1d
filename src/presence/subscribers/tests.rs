//! Who is told of whom.

use super::*;

fn limits(max: usize) -> Limits {
    Limits { prompted_subscribers_max: max, ..Limits::default() }
}

fn told(prompt: Prompt) -> usize {
    let Prompt::Told(rows) = prompt else { panic!("{prompt:?}") };
    rows.len()
}

#[test]
fn somebody_is_told_of_once() {
    let (mut subscribers, bob) = (Subscribers::default(), Aor::new("bob@example.test"));
    assert_eq!(told(subscribers.prompt(&bob, &limits(2))), 1);
    assert_eq!(subscribers.prompt(&bob, &limits(2)), Prompt::Known);
    let rows = subscribers.plan(&[(bob.clone(), true), (Aor::new("nobody@x"), true)]);
    assert_eq!(rows, [Row::PutSubscriber { user: bob.clone(), acknowledged: true }]);
    subscribers.put(bob.clone(), true);
    assert_eq!(subscribers.plan(&[(bob.clone(), true)]), []);
    assert_eq!(subscribers.prompt(&bob, &limits(2)), Prompt::Known);
}

#[test]
fn beyond_the_limit_the_oldest_that_was_seen_leaves_or_nobody_is_told_of() {
    let mut subscribers = Subscribers::default();
    let [a, b, c, d] = ["a@x", "b@x", "c@x", "d@x"].map(Aor::new);
    subscribers.prompt(&a, &limits(2));
    subscribers.prompt(&b, &limits(2));
    assert_eq!(subscribers.prompt(&c, &limits(2)), Prompt::Refused);
    subscribers.put(b.clone(), true);
    assert_eq!(
        subscribers.prompt(&c, &limits(2)),
        Prompt::Told(vec![
            Row::DeleteSubscriber(b),
            Row::PutSubscriber { user: c.clone(), acknowledged: false }
        ])
    );
    assert_eq!(subscribers.prompt(&d, &limits(2)), Prompt::Refused);
    assert_eq!(subscribers.iter().collect::<Vec<_>>(), [(&a, false), (&c, false)]);
    assert_eq!(Subscribers::default().prompt(&a, &limits(0)), Prompt::Refused);
}
