-- The journal's schema, as the steps that make it. `-- migration: n` begins the script that takes a journal from
-- version n - 1 to n, in one transaction that also sets the version. A step that was ever released stays as it is.
--
-- Decimals are TEXT exactly as Python writes them, so that they come back as they went in; times are Unix nanoseconds.

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

-- migration: 2
-- The table of orders is made again, because a column that is NOT NULL cannot become nullable. Others refer to it:
-- their references are not checked meanwhile, which can only be said outside a transaction.
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;

CREATE TABLE orders_2 (
    -- What never changes after the alert is journaled.
    id TEXT PRIMARY KEY NOT NULL,
    client_order_id TEXT NOT NULL,
    source TEXT NOT NULL,
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
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
    action TEXT NOT NULL,
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
    side TEXT,
    quantity TEXT,
    contracts TEXT,
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
    settled INTEGER NOT NULL,
    last_span_id TEXT,
    -- ABSENT is not among them: its look-ups go on.
    finished INTEGER GENERATED ALWAYS AS (status IN ('FILLED', 'DENIED', 'REJECTED', 'CANCELED', 'EXPIRED')) VIRTUAL,
    -- Something is still expected: an end, or the fills that are missing after it.
    unsettled INTEGER GENERATED ALWAYS AS (NOT (finished AND settled)) VIRTUAL,
    UNIQUE (client_order_id, exchange, account)
) STRICT;

-- What finished under version 1 is settled: nothing old is asked for again.
INSERT INTO orders_2 (
    action, settled, id, client_order_id, source, exchange, account, symbol, order_type,
    sizing_method, sizing_value, sizing_stop, sizing_atr, sizing_atr_multiple,
    intent, received_ns, trace_id, span_id, leg, parent_id, reduce_only,
    price, stop_price, confidence, tag, comment, alert_ts_ns, max_age_ns, max_drift_bps, arrival_price,
    status, updated_ns, version, side, quantity, adjusted_from, filled_qty, average_price, exchange_order_id,
    reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, last_span_id
)
SELECT
    'place', finished, id, client_order_id, source, exchange, account, symbol, order_type,
    sizing_method, sizing_value, sizing_stop, sizing_atr, sizing_atr_multiple,
    intent, received_ns, trace_id, span_id, leg, parent_id, reduce_only,
    price, stop_price, confidence, tag, comment, alert_ts_ns, max_age_ns, max_drift_bps, arrival_price,
    status, updated_ns, version, side, quantity, adjusted_from, filled_qty, average_price, exchange_order_id,
    reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, last_span_id
FROM orders;

DROP TABLE orders;
ALTER TABLE orders_2 RENAME TO orders;

-- Unsettled orders are few, whatever the number of the others: this index stays small. All unfinished ones are in it.
CREATE INDEX orders_unsettled ON orders (id) WHERE unsettled;
CREATE INDEX orders_by_exchange_order_id ON orders (exchange_order_id, id) WHERE exchange_order_id IS NOT NULL;

-- For listings. An order enters them once, when it is finished, so that no step before pays for them.
CREATE INDEX orders_by_status ON orders (status, id) WHERE finished;
CREATE INDEX orders_by_account ON orders (account, status, id) WHERE finished;
CREATE INDEX orders_by_symbol ON orders (symbol, account, status, id) WHERE finished;

-- Its entries come in the order of time, each beside the one before: next to nothing for a fill.
CREATE INDEX fills_by_time ON fills (exchange, account, ts_event_ns);

-- What a source holds of a symbol through us, in base units: the sum of its fills.
CREATE TABLE holdings (
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    source TEXT NOT NULL,
    quantity TEXT NOT NULL,
    PRIMARY KEY (exchange, account, symbol, source)
) STRICT, WITHOUT ROWID;

-- `sum_held` is ours: exact, where sum() would count in floats.
INSERT INTO holdings (exchange, account, symbol, source, quantity)
SELECT
    fills.exchange, fills.account, fills.symbol, orders.source,
    sum_held(orders.side, fills.symbol, fills.quantity, fills.fee, fills.fee_currency)
FROM fills JOIN orders ON orders.id = fills.order_id
GROUP BY fills.exchange, fills.account, fills.symbol, orders.source;

-- Where an account at the exchange differs from what we know.
CREATE TABLE findings (
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    symbol TEXT,
    detail TEXT NOT NULL,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns INTEGER NOT NULL,
    PRIMARY KEY (exchange, account, kind, reference)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
COMMIT;
PRAGMA foreign_keys = ON;

-- migration: 3
BEGIN IMMEDIATE;

-- The last known moment by the clock by which keys are kept, and by the wall clock.
ALTER TABLE heartbeat ADD COLUMN kept_ns INTEGER;
ALTER TABLE heartbeat ADD COLUMN wall_ns INTEGER;

PRAGMA user_version = 3;
COMMIT;

-- migration: 4
-- Orders and fills are made again: a generated column and a primary key cannot be changed.
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;

CREATE TABLE orders_4 (
    -- What never changes after the alert is journaled.
    id TEXT PRIMARY KEY NOT NULL,
    client_order_id TEXT NOT NULL,
    source TEXT NOT NULL,
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
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
    action TEXT NOT NULL,
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
    side TEXT,
    quantity TEXT,
    contracts TEXT,
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
    settled INTEGER NOT NULL,
    last_span_id TEXT,
    -- ABSENT is not among them: its look-ups go on. Not a list after IN: SQLite makes a table of that whenever it asks,
    -- which is twice an index and change.
    finished INTEGER GENERATED ALWAYS AS (
        status = 'FILLED' OR status = 'DENIED' OR status = 'REJECTED' OR status = 'CANCELED' OR status = 'EXPIRED'
    ) VIRTUAL,
    -- Something is still expected: an end, or the fills that are missing after it.
    unsettled INTEGER GENERATED ALWAYS AS (NOT (finished AND settled)) VIRTUAL,
    UNIQUE (client_order_id, exchange, account)
) STRICT;

INSERT INTO orders_4 (
    id, client_order_id, source, exchange, account, symbol, order_type, sizing_method, sizing_value, sizing_stop,
    sizing_atr, sizing_atr_multiple, intent, received_ns, trace_id, span_id, action, leg, parent_id, reduce_only,
    price, stop_price, confidence, tag, comment, alert_ts_ns, max_age_ns, max_drift_bps, arrival_price, status,
    updated_ns, version, side, quantity, contracts, adjusted_from, filled_qty, average_price, exchange_order_id,
    reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, settled, last_span_id
)
SELECT
    id, client_order_id, source, exchange, account, symbol, order_type, sizing_method, sizing_value, sizing_stop,
    sizing_atr, sizing_atr_multiple, intent, received_ns, trace_id, span_id, action, leg, parent_id, reduce_only,
    price, stop_price, confidence, tag, comment, alert_ts_ns, max_age_ns, max_drift_bps, arrival_price, status,
    updated_ns, version, side, quantity, contracts, adjusted_from, filled_qty, average_price, exchange_order_id,
    reason, detail, attempts, submitted_ns, cancel_requested, outcome_counted, settled, last_span_id
FROM orders;

DROP TABLE orders;
ALTER TABLE orders_4 RENAME TO orders;

-- As they were.
CREATE INDEX orders_unsettled ON orders (id) WHERE unsettled;
CREATE INDEX orders_by_exchange_order_id ON orders (exchange_order_id, id) WHERE exchange_order_id IS NOT NULL;
CREATE INDEX orders_by_status ON orders (status, id) WHERE finished;
CREATE INDEX orders_by_account ON orders (account, status, id) WHERE finished;
CREATE INDEX orders_by_symbol ON orders (symbol, account, status, id) WHERE finished;

-- The account's newest fill, beside what it holds: an index of fills by time took a page of each account in a group.
ALTER TABLE holdings ADD COLUMN newest_fill_ns INTEGER NOT NULL DEFAULT 0;
UPDATE holdings SET newest_fill_ns = new.newest_fill_ns
FROM (
    SELECT fills.exchange, fills.account, fills.symbol, orders.source, max(fills.ts_event_ns) AS newest_fill_ns
    FROM fills JOIN orders ON orders.id = fills.order_id
    GROUP BY fills.exchange, fills.account, fills.symbol, orders.source
) AS new
WHERE (holdings.exchange, holdings.account, holdings.symbol, holdings.source)
    = (new.exchange, new.account, new.symbol, new.source);

CREATE TABLE fills_4 (
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
    -- An exchange may give both sides of a trade with oneself one id. The order first: its id tells the time, so that
    -- the fills of a group lie together, and those of an order are found without an index.
    PRIMARY KEY (order_id, id)
) STRICT, WITHOUT ROWID;

INSERT INTO fills_4 (
    exchange, account, symbol, id, order_id, client_order_id, quantity, price, fee, fee_currency, ts_event_ns
)
SELECT exchange, account, symbol, id, order_id, client_order_id, quantity, price, fee, fee_currency, ts_event_ns
FROM fills;

DROP TABLE fills;
ALTER TABLE fills_4 RENAME TO fills;

PRAGMA user_version = 4;
COMMIT;
PRAGMA foreign_keys = ON;
