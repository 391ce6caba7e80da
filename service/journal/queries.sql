-- Every statement of the journal. `-- name: x` begins the one that the code calls SQL.x; the tables are in schema.sql.
--
-- Orders, transitions, fills, holdings and answers are bound by position, in the order of the columns named: binding
-- by name made an insert of these many columns take a third longer. Where a group of writes has several rows for one
-- statement, its `VALUES (?, ...)` is repeated: see together.py.

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

-- name: keys
SELECT source, key, rowid FROM answers WHERE rowid > :after ORDER BY rowid LIMIT :limit;

-- name: forget_answers
DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE expires_ns <= :now_ns LIMIT :limit);

-- name: insert_order
INSERT INTO orders (
    id, client_order_id, source, exchange, account, symbol, order_type,
    sizing_method, sizing_value, sizing_stop, sizing_atr, sizing_atr_multiple,
    intent, received_ns, trace_id, span_id, action, leg, parent_id,
    price, stop_price, confidence, tag, comment, alert_ts_ns, max_age_ns, max_drift_bps, arrival_price,
    status, updated_ns, version, side, reduce_only, quantity, contracts, adjusted_from, filled_qty, average_price,
    exchange_order_id, reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, settled, last_span_id
) VALUES (
    ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?, ?, ?, ?, ?, ?, ?
);

-- name: update_orders
UPDATE orders SET
    status = new.status,
    updated_ns = new.updated_ns,
    version = new.version,
    side = new.side,
    reduce_only = new.reduce_only,
    quantity = new.quantity,
    contracts = new.contracts,
    adjusted_from = new.adjusted_from,
    filled_qty = new.filled_qty,
    average_price = new.average_price,
    exchange_order_id = new.exchange_order_id,
    reason = new.reason,
    detail = new.detail,
    attempts = new.attempts,
    submitted_ns = new.submitted_ns,
    cancel_requested = new.cancel_requested,
    outcome_counted = new.outcome_counted,
    settled = new.settled,
    last_span_id = new.last_span_id
FROM (
    WITH moved (
        status, updated_ns, version, side, reduce_only, quantity, contracts, adjusted_from, filled_qty, average_price,
        exchange_order_id, reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, settled,
        last_span_id, id
    ) AS (
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    )
    SELECT * FROM moved
) AS new
WHERE orders.id = new.id AND orders.version = new.version - 1;

-- name: insert_transition
INSERT INTO transitions (order_id, version, ts_ns, from_status, to_status, reason, detail, span_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_fill
INSERT INTO fills (
    exchange, account, symbol, id, order_id, client_order_id, quantity, price, fee, fee_currency, ts_event_ns
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)
ON CONFLICT (order_id, id) DO NOTHING;

-- name: holding
SELECT quantity FROM holdings WHERE exchange = ? AND account = ? AND symbol = ? AND source = ?;

-- name: holdings_of
SELECT holdings.exchange, holdings.account, holdings.symbol, holdings.source, holdings.quantity
FROM holdings
WHERE (exchange, account, symbol, source) IN (VALUES (?, ?, ?, ?));

-- name: holdings_of_account
SELECT symbol, quantity FROM holdings WHERE exchange = :exchange AND account = :account;

-- name: put_holding
INSERT INTO holdings (exchange, account, symbol, source, quantity, newest_fill_ns)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (exchange, account, symbol, source) DO UPDATE SET
    quantity = excluded.quantity,
    newest_fill_ns = max(newest_fill_ns, excluded.newest_fill_ns);

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

-- name: findings
SELECT * FROM findings ORDER BY exchange, account, kind, reference;

-- name: findings_of_account
SELECT kind, reference, first_seen_ns FROM findings WHERE exchange = :exchange AND account = :account;

-- name: forget_findings
DELETE FROM findings WHERE exchange = :exchange AND account = :account;

-- name: put_finding
-- An id that the exchange gave twice, to orders of two symbols, is one finding: the last.
INSERT OR REPLACE INTO findings (exchange, account, kind, reference, symbol, detail, first_seen_ns, last_seen_ns)
VALUES (:exchange, :account, :kind, :reference, :symbol, :detail, :first_seen_ns, :last_seen_ns);

-- name: beat
INSERT INTO heartbeat (id, beats, kept_ns, wall_ns) VALUES (1, 1, :kept_ns, :wall_ns)
ON CONFLICT (id) DO UPDATE SET beats = beats + 1, kept_ns = excluded.kept_ns, wall_ns = excluded.wall_ns;

-- name: last_beat
SELECT kept_ns, wall_ns FROM heartbeat WHERE id = 1 AND kept_ns IS NOT NULL;

-- name: order_by_id
SELECT * FROM orders WHERE id = :reference;

-- name: order_by_client_order_id
SELECT * FROM orders WHERE client_order_id = :reference ORDER BY id DESC LIMIT 1;

-- name: order_of_account
SELECT * FROM orders WHERE client_order_id = :client_order_id AND exchange = :exchange AND account = :account;

-- name: order_by_exchange_order_id
SELECT * FROM orders WHERE exchange_order_id = :reference ORDER BY id DESC LIMIT 1;

-- name: transitions
SELECT * FROM transitions WHERE order_id = :order_id ORDER BY version;

-- name: fills
SELECT * FROM fills WHERE order_id = :order_id ORDER BY ts_event_ns, id;

-- name: newest_fill_ns
SELECT max(newest_fill_ns) FROM holdings WHERE exchange = :exchange AND account = :account;

-- name: anomalies
SELECT kind, detail FROM anomalies WHERE order_id = :order_id ORDER BY ts_ns, rowid;

-- name: unfinished_orders
SELECT * FROM orders
WHERE unsettled AND (status <> 'ABSENT' OR (NOT settled AND updated_ns > :absent_since_ns))
ORDER BY id;

-- name: newest_ids
SELECT id FROM orders WHERE id < :after ORDER BY id DESC LIMIT :limit;

-- name: unfinished_ids
SELECT id FROM orders
WHERE unsettled
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
