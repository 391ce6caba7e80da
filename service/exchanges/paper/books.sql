-- All SQL of the paper exchange's books. A block runs from its `-- name:` line to the next one.

-- name: settings
-- Committed data survives the death of the process (it is with the operating system); paper money need not survive
-- a loss of power. One process at a time: what is in memory is the truth while it runs.
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
-- Fewer, larger checkpoints: pages that change with every order are then copied once, not once an order.
PRAGMA wal_autocheckpoint = 4000;
PRAGMA foreign_keys = OFF;

-- name: version
PRAGMA user_version;

-- name: schema
BEGIN IMMEDIATE;
-- `id` begins every order and fill id, so that new books never repeat the ids of lost ones.
CREATE TABLE books (id TEXT NOT NULL) STRICT;
CREATE TABLE balances (
    account TEXT NOT NULL,
    currency TEXT NOT NULL,
    free TEXT NOT NULL,
    used TEXT NOT NULL,
    PRIMARY KEY (account, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE accounts (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE prices (
    symbol TEXT PRIMARY KEY,
    mid TEXT NOT NULL,
    tick INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    order_type TEXT NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT,
    stop_price TEXT,
    status TEXT NOT NULL,
    reject_reason TEXT,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    UNIQUE (account, client_order_id)
) STRICT;
CREATE INDEX open_orders ON orders (number) WHERE is_open;
CREATE TABLE fills (
    order_number INTEGER NOT NULL,
    part INTEGER NOT NULL,
    account TEXT NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_currency TEXT NOT NULL,
    ts_event_ns INTEGER NOT NULL,
    PRIMARY KEY (order_number, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_time ON fills (account, ts_event_ns);
INSERT INTO books (id) VALUES (lower(hex(randomblob(4))));
PRAGMA user_version = 1;
COMMIT;

-- name: begin
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: books_id
SELECT id FROM books;

-- name: last_number
SELECT coalesce(max(number), 0) FROM orders;

-- name: add_account
INSERT INTO accounts (name) VALUES (?);

-- name: accounts
SELECT name FROM accounts;

-- name: balances
SELECT account, currency, free, used FROM balances;

-- name: put_balance
INSERT INTO balances (account, currency, free, used) VALUES (?, ?, ?, ?)
ON CONFLICT (account, currency) DO UPDATE SET free = excluded.free, used = excluded.used;

-- name: prices
SELECT symbol, mid, tick FROM prices;

-- name: put_price
INSERT INTO prices (symbol, mid, tick) VALUES (?, ?, ?)
ON CONFLICT (symbol) DO UPDATE SET mid = excluded.mid, tick = excluded.tick;

-- name: add_order
INSERT INTO orders (
    number, account, client_order_id, symbol, side, order_type, quantity, price, stop_price,
    status, reject_reason, created_ns, updated_ns, is_open
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_order
UPDATE orders SET status = ?, reject_reason = ?, updated_ns = ?, is_open = ? WHERE number = ?;

-- name: open_orders
SELECT
    number, account, client_order_id, symbol, side, order_type, quantity, price, stop_price,
    status, reject_reason, created_ns, updated_ns
FROM orders WHERE is_open ORDER BY number;

-- name: find_order
SELECT
    number, account, client_order_id, symbol, side, order_type, quantity, price, stop_price,
    status, reject_reason, created_ns, updated_ns
FROM orders WHERE account = ? AND client_order_id = ?;

-- name: used
-- A subquery a row: for a list of row values SQLite would scan the orders.
WITH asked (account, client_order_id) AS (VALUES (?, ?))
SELECT account, client_order_id FROM asked
WHERE EXISTS (
    SELECT 1 FROM orders
    WHERE orders.account = asked.account AND orders.client_order_id = asked.client_order_id
);

-- name: add_fill
INSERT INTO fills (order_number, part, account, quantity, price, fee, fee_currency, ts_event_ns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: fills_of_order
SELECT order_number, part, quantity, price, fee, fee_currency, ts_event_ns
FROM fills WHERE order_number = ? ORDER BY part;

-- name: fills_since
SELECT
    fills.order_number, fills.part, fills.quantity, fills.price, fills.fee, fills.fee_currency, fills.ts_event_ns,
    orders.client_order_id, orders.symbol
FROM fills JOIN orders ON orders.number = fills.order_number
WHERE fills.account = ? AND fills.ts_event_ns >= ?
ORDER BY fills.ts_event_ns, fills.order_number, fills.part;
