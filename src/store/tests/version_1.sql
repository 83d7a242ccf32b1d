-- A database as the first version of the schema left it.
PRAGMA application_id = 1836674664;
PRAGMA user_version = 1;

CREATE TABLE directory (
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
CREATE INDEX cdr_open ON cdr (id) WHERE ending IS NULL;

UPDATE directory SET version = 2;
INSERT INTO user VALUES ('alice@example.test', 'alice', 'Alice',
    zeroblob(16), zeroblob(32), zeroblob(16), 0, 1);
INSERT INTO user VALUES ('bob@example.test', 'bob', '',
    zeroblob(16), zeroblob(32), zeroblob(16), 1, 2);
INSERT INTO cdr VALUES (X'000001A31C6B2C000102030405060708', 'session', 'alice@example.test',
    'bob@example.test', 1800000000000, 0, 1800000001000, 1, 2, 'bye_caller', NULL);
