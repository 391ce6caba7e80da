-- All SQL of the journal. `-- name: x` begins the statement that the code calls SQL.x; `-- migration: n` begins the
-- script that takes a journal from version n - 1 to n, in one transaction that also sets the version.
--
-- Decimals are TEXT exactly as Python writes them, so that they come back as they went in; times are Unix nanoseconds.
--
-- Orders, transitions, fills and answers are bound by position, in the order of the columns named: binding by name
-- made an insert of these many columns take a third longer.

-- migration: 1
BEGIN IMMEDIATE;

-- "FILL"
PRAGMA application_id = 1179208780;

CREATE TABLE orders (
    -- What never changes after the alert is journaled.
    id TEXT PRIMARY KEY NOT NULL,
    client_order_id TEXT NOT NULL,
    source TEXT NOT NULL,
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    order_type TEXT NOT NULL,
    sizing_method TEXT NOT NULL,
    sizing_value TEXT NOT NULL,
    sizing_stop TEXT,
    sizing_atr TEXT,
    sizing_atr_multiple TEXT,
    intent TEXT NOT NULL,
    received_ns INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    leg TEXT NOT NULL,
    parent_id TEXT,
    reduce_only INTEGER NOT NULL,
    price TEXT,
    stop_price TEXT,
    confidence TEXT,
    tag TEXT,
    comment TEXT,
    alert_ts_ns INTEGER,
    max_age_ns INTEGER,
    max_drift_bps TEXT,
    arrival_price TEXT,
    -- What transitions move.
    status TEXT NOT NULL,
    updated_ns INTEGER NOT NULL,
    version INTEGER NOT NULL,
    quantity TEXT,
    adjusted_from TEXT,
    filled_qty TEXT NOT NULL,
    average_price TEXT,
    exchange_order_id TEXT,
    reason TEXT,
    detail TEXT,
    attempts INTEGER NOT NULL,
    submitted_ns INTEGER,
    cancel_requested INTEGER NOT NULL,
    outcome_counted INTEGER NOT NULL,
    last_span_id TEXT,
    -- ABSENT is not among them: its look-ups go on.
    finished INTEGER GENERATED ALWAYS AS (status IN ('FILLED', 'DENIED', 'REJECTED', 'CANCELED', 'EXPIRED')) VIRTUAL,
    UNIQUE (client_order_id, exchange, account)
) STRICT;

-- Unfinished orders are few, whatever the number of finished ones: this index stays small.
CREATE INDEX orders_unfinished ON orders (id) WHERE NOT finished;
CREATE INDEX orders_by_exchange_order_id ON orders (exchange_order_id, id) WHERE exchange_order_id IS NOT NULL;

-- For listings. An order enters them once, when it is finished, so that no step before pays for them.
CREATE INDEX orders_by_status ON orders (status, id) WHERE finished;
CREATE INDEX orders_by_account ON orders (account, status, id) WHERE finished;
CREATE INDEX orders_by_symbol ON orders (symbol, account, status, id) WHERE finished;

CREATE TABLE transitions (
    order_id TEXT NOT NULL REFERENCES orders (id),
    version INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    reason TEXT,
    detail TEXT,
    span_id TEXT,
    PRIMARY KEY (order_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE fills (
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    id TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders (id),
    client_order_id TEXT NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_currency TEXT NOT NULL,
    ts_event_ns INTEGER NOT NULL,
    PRIMARY KEY (exchange, account, symbol, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX fills_by_order ON fills (order_id, ts_event_ns);

CREATE TABLE answers (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    order_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    created_ns INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL,
    UNIQUE (source, key)
) STRICT;

CREATE INDEX answers_by_expiry ON answers (expires_ns);

CREATE TABLE halts (
    account TEXT PRIMARY KEY NOT NULL,
    level INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    ts_ns INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    client_ip TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    trace_id TEXT
) STRICT;

-- Refers to no order: a fact is kept even if the order is unknown.
CREATE TABLE anomalies (
    order_id TEXT NOT NULL,
    ts_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX anomalies_by_order ON anomalies (order_id, ts_ns);

CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    beats INTEGER NOT NULL
) STRICT;

PRAGMA user_version = 1;
COMMIT;

-- name: application_id
PRAGMA application_id;

-- name: user_version
PRAGMA user_version;

-- name: count_objects
SELECT count(*) FROM sqlite_schema;

-- name: use_wal
PRAGMA journal_mode = WAL;

-- name: configure
-- Every commit waits for the disk; on macOS for the disk's own cache too (no effect elsewhere).
PRAGMA synchronous = FULL;
PRAGMA fullfsync = ON;
PRAGMA checkpoint_fullfsync = ON;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;

-- name: empty_log
PRAGMA wal_checkpoint(TRUNCATE);

-- name: begin
BEGIN IMMEDIATE;

-- name: begin_read
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: savepoint
SAVEPOINT operation;

-- name: release
RELEASE operation;

-- name: rollback_to
ROLLBACK TO operation;

-- name: claim_answer
-- Changes no row where the key is taken and still valid.
INSERT INTO answers (
    source, key, content_hash, order_id, trace_id, span_id, status, body, created_ns, expires_ns
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
ON CONFLICT (source, key) DO UPDATE SET
    content_hash = excluded.content_hash,
    order_id = excluded.order_id,
    trace_id = excluded.trace_id,
    span_id = excluded.span_id,
    status = excluded.status,
    body = excluded.body,
    created_ns = excluded.created_ns,
    expires_ns = excluded.expires_ns
WHERE expires_ns <= excluded.created_ns;

-- name: answer
SELECT * FROM answers WHERE source = :source AND key = :key AND expires_ns > :now_ns;

-- name: forget_answers
DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE expires_ns <= :now_ns LIMIT :limit);

-- name: insert_order
INSERT INTO orders (
    id, client_order_id, source, exchange, account, symbol, side, order_type,
    sizing_method, sizing_value, sizing_stop, sizing_atr, sizing_atr_multiple,
    intent, received_ns, trace_id, span_id, leg, parent_id, reduce_only,
    price, stop_price, confidence, tag, comment, alert_ts_ns, max_age_ns, max_drift_bps, arrival_price,
    status, updated_ns, version, quantity, adjusted_from, filled_qty, average_price, exchange_order_id,
    reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, last_span_id
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?
);

-- name: update_order
UPDATE orders SET
    status = ?,
    updated_ns = ?,
    version = ?,
    quantity = ?,
    adjusted_from = ?,
    filled_qty = ?,
    average_price = ?,
    exchange_order_id = ?,
    reason = ?,
    detail = ?,
    attempts = ?,
    submitted_ns = ?,
    cancel_requested = ?,
    outcome_counted = ?,
    last_span_id = ?
WHERE id = ? AND version = ? - 1;

-- name: insert_transition
INSERT INTO transitions (order_id, version, ts_ns, from_status, to_status, reason, detail, span_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_fill
INSERT INTO fills (
    exchange, account, symbol, id, order_id, client_order_id, quantity, price, fee, fee_currency, ts_event_ns
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
ON CONFLICT (exchange, account, symbol, id) DO NOTHING;

-- name: insert_anomaly
INSERT INTO anomalies (order_id, ts_ns, kind, detail) VALUES (:order_id, :ts_ns, :kind, :detail);

-- name: insert_audit
INSERT INTO audit (ts_ns, event_type, client_ip, result, detail, trace_id)
VALUES (:ts_ns, :event_type, :client_ip, :result, :detail, :trace_id);

-- name: set_halt
INSERT INTO halts (account, level) VALUES (:account, :level)
ON CONFLICT (account) DO UPDATE SET level = excluded.level;

-- name: halts
SELECT account, level FROM halts;

-- name: beat
INSERT INTO heartbeat (id, beats) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beats = beats + 1;

-- name: order_by_id
SELECT * FROM orders WHERE id = :reference;

-- name: order_by_client_order_id
SELECT * FROM orders WHERE client_order_id = :reference ORDER BY id DESC LIMIT 1;

-- name: order_by_exchange_order_id
SELECT * FROM orders WHERE exchange_order_id = :reference ORDER BY id DESC LIMIT 1;

-- name: transitions
SELECT * FROM transitions WHERE order_id = :order_id ORDER BY version;

-- name: fills
SELECT * FROM fills WHERE order_id = :order_id ORDER BY ts_event_ns, id;

-- name: anomalies
SELECT kind, detail FROM anomalies WHERE order_id = :order_id ORDER BY ts_ns, rowid;

-- name: unfinished_orders
SELECT * FROM orders
WHERE NOT finished AND (status <> 'ABSENT' OR updated_ns > :absent_since_ns)
ORDER BY id;

-- name: newest_ids
SELECT id FROM orders WHERE id < :after ORDER BY id DESC LIMIT :limit;

-- name: unfinished_ids
SELECT id FROM orders
WHERE NOT finished
    AND id < :after
    AND status = :status
    AND (:symbol IS NULL OR symbol = :symbol)
    AND (:account IS NULL OR account = :account)
ORDER BY id DESC LIMIT :limit;

-- name: finished_ids
SELECT id FROM orders WHERE finished AND status = :status AND id < :after ORDER BY id DESC LIMIT :limit;

-- name: finished_ids_of_account
SELECT id FROM orders
WHERE finished AND account = :account AND status = :status AND id < :after
ORDER BY id DESC LIMIT :limit;

-- name: finished_ids_of_symbol
SELECT id FROM orders
WHERE finished AND symbol = :symbol AND account = :account AND status = :status AND id < :after
ORDER BY id DESC LIMIT :limit;

-- name: accounts_of_symbol
-- One seek an account, not one step an order.
WITH RECURSIVE found (account) AS (
    SELECT min(account) FROM orders WHERE finished AND symbol = :symbol
    UNION ALL
    SELECT (SELECT min(account) FROM orders WHERE finished AND symbol = :symbol AND account > found.account)
    FROM found WHERE found.account IS NOT NULL
)
SELECT account FROM found WHERE account IS NOT NULL;
