//! The schema, as the steps that lead to it. `PRAGMA user_version` counts the steps taken; a step
//! that was released is never changed.

use rusqlite::{Connection, TransactionBehavior};

/// `mynh`, so that `file` and we can tell our databases from those of others.
pub const APPLICATION_ID: i64 = 0x6d79_6e68;

/// The steps. Each takes the schema from version n to n + 1.
const STEPS: &[&str] = &[
    // `version` rises with each change of a user and is stamped on the row: who knows version n
    // asks for the rows above n. A removed user leaves its address and a stamp, no secret.
    //
    // A record's identifier begins with its start, so the primary key is also the order in time,
    // and (WITHOUT ROWID) the second column of each index.
    "CREATE TABLE directory (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        version INTEGER NOT NULL
    ) STRICT;
    INSERT INTO directory VALUES (1, 0);

    CREATE TABLE user (
        aor TEXT PRIMARY KEY NOT NULL,
        login TEXT NOT NULL,
        display_name TEXT NOT NULL,
        ha1_md5 BLOB NOT NULL,
        ha1_sha256 BLOB NOT NULL,
        nt_hash BLOB NOT NULL,
        disabled INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX user_by_version ON user (version);

    CREATE TABLE removed_user (
        aor TEXT PRIMARY KEY NOT NULL,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX removed_user_by_version ON removed_user (version);

    CREATE TABLE cdr (
        id BLOB PRIMARY KEY NOT NULL,
        kind TEXT NOT NULL,
        caller TEXT NOT NULL,
        callee TEXT NOT NULL,
        start_unix_ms INTEGER NOT NULL,
        bridged INTEGER NOT NULL,
        end_unix_ms INTEGER,
        messages_from_caller INTEGER,
        messages_from_callee INTEGER,
        ending TEXT,
        status INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX cdr_by_caller ON cdr (caller);
    CREATE INDEX cdr_by_callee ON cdr (callee);
    CREATE INDEX cdr_open ON cdr (id) WHERE ending IS NULL;",
    // What is known of a user besides what proves it; empty for unknown.
    "ALTER TABLE user ADD COLUMN title TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN department TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN company TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN office TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN email TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN phone_work TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN phone_mobile TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN phone_home TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN photo_url TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN photo_hash TEXT NOT NULL DEFAULT '';
    ALTER TABLE user ADD COLUMN policy TEXT NOT NULL DEFAULT '';",
    // What a shard keeps of a user goes with him. `contact_list` and `presence` have a row as soon
    // as anything is kept, so that a start looks at no user of whom nothing is.
    "CREATE TABLE contact_list (
        owner TEXT PRIMARY KEY NOT NULL REFERENCES user (aor) ON DELETE CASCADE,
        delta INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE contact_group (
        owner TEXT NOT NULL REFERENCES contact_list (owner) ON DELETE CASCADE,
        id INTEGER NOT NULL,
        name TEXT NOT NULL,
        external_uri TEXT NOT NULL,
        PRIMARY KEY (owner, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE contact (
        owner TEXT NOT NULL REFERENCES contact_list (owner) ON DELETE CASCADE,
        address TEXT NOT NULL,
        name TEXT NOT NULL,
        group_ids TEXT NOT NULL,
        subscribed INTEGER NOT NULL,
        external_uri TEXT NOT NULL,
        PRIMARY KEY (owner, address)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE presence (
        owner TEXT PRIMARY KEY NOT NULL REFERENCES user (aor) ON DELETE CASCADE,
        version_floor INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE publication (
        owner TEXT NOT NULL REFERENCES presence (owner) ON DELETE CASCADE,
        container INTEGER NOT NULL,
        category TEXT NOT NULL,
        instance INTEGER NOT NULL,
        version INTEGER NOT NULL,
        published_unix_ms INTEGER,
        meaning TEXT,
        source TEXT,
        PRIMARY KEY (owner, container, category, instance)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE container (
        owner TEXT NOT NULL REFERENCES presence (owner) ON DELETE CASCADE,
        id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (owner, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE container_member (
        owner TEXT NOT NULL REFERENCES presence (owner) ON DELETE CASCADE,
        container INTEGER NOT NULL,
        kind TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (owner, container, kind, value)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE subscriber (
        owner TEXT NOT NULL REFERENCES presence (owner) ON DELETE CASCADE,
        address TEXT NOT NULL,
        acknowledged INTEGER NOT NULL,
        PRIMARY KEY (owner, address)
    ) STRICT, WITHOUT ROWID;",
    // A conference that is kept goes with who made it; its record, and the visits in it, stay.
    // The name of a visit begins with its start, as that of a record does.
    "CREATE TABLE conference (
        id TEXT PRIMARY KEY NOT NULL,
        organiser TEXT NOT NULL REFERENCES user (aor) ON DELETE CASCADE,
        organiser_name TEXT NOT NULL,
        subject TEXT NOT NULL,
        admission TEXT NOT NULL,
        lobby INTEGER NOT NULL,
        locked INTEGER NOT NULL,
        expires_unix_ms INTEGER NOT NULL,
        invited TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conference_by_organiser ON conference (organiser);

    CREATE TABLE conference_cdr (
        id BLOB PRIMARY KEY NOT NULL,
        conference TEXT NOT NULL,
        organiser TEXT NOT NULL,
        subject TEXT NOT NULL,
        scheduled INTEGER NOT NULL,
        start_unix_ms INTEGER NOT NULL,
        end_unix_ms INTEGER,
        messages INTEGER,
        peak INTEGER,
        ending TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conference_cdr_by_organiser ON conference_cdr (organiser);
    CREATE INDEX conference_cdr_open ON conference_cdr (id) WHERE ending IS NULL;

    CREATE TABLE conference_visit (
        id BLOB PRIMARY KEY NOT NULL,
        cdr BLOB NOT NULL REFERENCES conference_cdr (id) ON DELETE CASCADE,
        member TEXT NOT NULL,
        role TEXT NOT NULL,
        start_unix_ms INTEGER NOT NULL,
        end_unix_ms INTEGER,
        messages INTEGER,
        parting TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX conference_visit_by_cdr ON conference_visit (cdr);
    CREATE INDEX conference_visit_by_member ON conference_visit (member, cdr);
    CREATE INDEX conference_visit_open ON conference_visit (id) WHERE parting IS NULL;",
    // Users that come from a directory service, and when all of them were looked at last. The rest
    // of them is as that of others: the server starts without the service.
    "CREATE TABLE service_user (
        aor TEXT PRIMARY KEY NOT NULL REFERENCES user (aor) ON DELETE CASCADE,
        dn TEXT NOT NULL,
        missing INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE service_look (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        unix_ms INTEGER NOT NULL
    ) STRICT;",
    // When the password of such a user was changed there, as the service says it.
    "ALTER TABLE service_user ADD COLUMN password_changed TEXT;",
    // Of the secret part of a token only a hash is kept.
    "CREATE TABLE api_token (
        id INTEGER PRIMARY KEY NOT NULL,
        name TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        level INTEGER NOT NULL,
        hash BLOB NOT NULL,
        created_unix_ms INTEGER NOT NULL
    ) STRICT;",
    // Pictures that were uploaded. Where one can be fetched stands with its user.
    "CREATE TABLE photo (
        aor TEXT PRIMARY KEY NOT NULL REFERENCES user (aor) ON DELETE CASCADE,
        hash BLOB NOT NULL,
        large BLOB NOT NULL,
        small BLOB NOT NULL
    ) STRICT;
    CREATE INDEX photo_by_hash ON photo (hash);",
];

/// The schema version this program writes.
pub const VERSION: i64 = STEPS.len() as i64;

/// Takes the steps that are missing. Safe against another process that does the same. Returns the
/// version found when it is higher than ours, or negative: then nothing was changed.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<Result<(), i64>> {
    if version(connection)? == VERSION {
        return Ok(Ok(()));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let Some(missing) = usize::try_from(found).ok().and_then(|found| STEPS.get(found..)) else {
        return Ok(Err(found));
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(Ok(()))
}

/// True when the database is ours, or empty.
pub fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id == APPLICATION_ID {
        return Ok(true);
    }
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    Ok(id == 0 && objects == 0)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_of_the_first_version_survives_the_later_steps() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO user VALUES ('a@b.test', 'a', 'A', x'01', x'02', x'03', 0, 7);
                 PRAGMA user_version = 1;",
            )
            .unwrap();
        assert_eq!(migrate(&mut connection).unwrap(), Ok(()));
        assert_eq!(super::version(&connection).unwrap(), VERSION);
        let kept: (String, i64, String, String) = connection
            .query_row("SELECT display_name, version, title, policy FROM user", (), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .unwrap();
        assert_eq!(kept, ("A".to_owned(), 7, String::new(), String::new()));
    }
}
