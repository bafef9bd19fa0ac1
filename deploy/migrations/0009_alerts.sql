-- Alerts, the outbox of their messages, and cases. What is decided stands in analytics.alerting; here is what is kept.
-- `unit_id` stands in each row for row security. No row holds a channel's secret, a token or a link that can be used.

create table person (
    id         int4 generated always as identity primary key,
    login      text not null unique check (login ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
    name       text not null check (name <> ''),
    role       text not null check (role in ('staff', 'inspector', 'enterprise')),
    unit_id    int4 references unit,                 -- whose person; of the enterprise's role alone
    language   text not null default 'zh' check (language in ('zh', 'en')),
    channel    text not null default '',             -- a name in the channels' file; '' is told nothing
    address    text not null default '',             -- what {address} in the channel's URL stands for
    active     boolean not null default true,
    created_at timestamptz not null default now(),
    check ((role = 'enterprise') = (unit_id is not null))
);
create index on person (unit_id) where unit_id is not null;

create table api_token (
    id         int4 generated always as identity primary key,
    person_id  int4 not null references person,
    digest     bytea not null unique check (length(digest) = 32),   -- SHA-256: the token itself is shown once
    label      text not null default '',
    created_at timestamptz not null default now(),
    expires_at timestamptz not null default 'infinity',
    revoked_at timestamptz
);

-- One-time links that were used; a link itself is signed and stored nowhere.
create table link_use (
    nonce     bytea primary key check (length(nonce) = 16),
    person_id int4 not null references person,
    action    text not null,
    used_at   timestamptz not null default now()
);

-- Rules as they were loaded; the latest is in force, the shipped ones where there is none.
create table alert_rules (
    id        int4 generated always as identity primary key,
    source    text not null,
    body      text not null,
    loaded_by text not null,
    loaded_at timestamptz not null default now()
);

-- Detections and findings that are new or changed. Append only, as dirty_hour is: a mark becomes visible with what it
-- speaks of, and who claims marks deletes just those it saw, in the transaction that raises.
create table alert_inbox (
    id        int8 generated always as identity primary key,
    source    text not null check (source in ('detection', 'finding')),
    source_id int8 not null,
    marked_at timestamptz not null default clock_timestamp()
);

create function alert_mark() returns trigger
    language plpgsql as $$
begin
    insert into alert_inbox (source, source_id) select tg_argv[0], n.id from changed n;
    return null;
end
$$;

create trigger alert_mark_insert after insert on detection
    referencing new table as changed for each statement execute function alert_mark('detection');
create trigger alert_mark_update after update on detection
    referencing new table as changed for each statement execute function alert_mark('detection');

do $$
begin
    if to_regclass('finding') is not null then
        create trigger alert_mark_insert after insert on finding
            referencing new table as changed for each statement execute function alert_mark('finding');
        create trigger alert_mark_update after update on finding
            referencing new table as changed for each statement execute function alert_mark('finding');
    end if;
end
$$;

create table alert (
    id              int8 generated always as identity primary key,
    key             text not null unique,            -- subject, @, when it was made
    subject         text not null generated always as (split_part(key, '@', 1)) stored,
    rule            text not null,
    unit_id         int4 not null references unit,
    point_id        int4 references metering_point,  -- null where it is about several
    meter_id        int4 references meter,
    kind            text not null,                   -- a detection's kind, 'finding' or 'verification'
    severity        text not null check (severity in ('info', 'warning', 'serious')),
    state           text not null
                    check (state in ('held', 'open', 'acknowledged', 'clearing', 'cleared', 'dropped')),
    since           timestamptz not null,            -- when the fault began
    seen_at         timestamptz not null,            -- when we first knew
    raised_at       timestamptz,                     -- null while held down
    updated_at      timestamptz not null,
    cleared_at      timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by int4 references person,
    energy_affected float8,
    energy_unit     text not null default '',
    title_zh        text not null,
    title_en        text not null,
    detections      int4 not null,                   -- ever behind it
    standing        int4 not null,                   -- behind it now
    level           int2 not null default 0,         -- of escalation
    flaps           int4 not null default 0,
    next_at         timestamptz,                     -- when the clock alone may change it
    life            jsonb not null                   -- analytics.alerting.lifecycle.Alert
);
create index on alert (subject) where state not in ('cleared', 'dropped');
create index on alert (next_at) where next_at is not null;
create index on alert (unit_id, raised_at);
create index on alert (raised_at);

-- What is behind an alert.
create table alert_source (
    source     text not null check (source in ('detection', 'finding', 'verification')),
    source_id  int8 not null,                        -- of verification: the meter's id
    alert_id   int8 not null references alert,
    unit_id    int4 not null,
    point_id   int4,
    meter_id   int4,
    standing   boolean not null,
    started_at timestamptz not null,
    energy     float8 not null default 0,            -- that the alert's sum has of it
    energy_unit text not null default '',
    primary key (source, source_id)
);
create index on alert_source (alert_id);

create table alert_event (
    id        int8 generated always as identity primary key,
    alert_id  int8 not null references alert,
    unit_id   int4 not null,
    at        timestamptz not null default clock_timestamp(),
    action    text not null,
    person_id int4 references person,                -- null: the system
    note      text not null default ''
);
create index on alert_event (alert_id);

create table alert_silence (
    id         int4 generated always as identity primary key,
    unit_id    int4 references unit,                 -- null: all units
    point_id   int4 references metering_point,       -- null: all points
    kind       text,                                 -- null: all kinds
    starts_at  timestamptz not null,
    ends_at    timestamptz not null check (ends_at > starts_at),
    reason     text not null check (reason <> ''),
    person_id  int4 references person,
    created_at timestamptz not null default now()
);
create index on alert_silence (ends_at);

-- What waits for a recipient: quiet hours, and more at once than anybody reads.
create table alert_mailbox (
    recipient text primary key,
    next_at   timestamptz,
    life      jsonb not null                         -- analytics.alerting.mailbox.Mailbox
);

-- The outbox: written in the transaction that raises, sent by the sender.
create table alert_message (
    id            int8 generated always as identity primary key,
    key           uuid not null unique,              -- in every message that goes out, the same at each attempt
    recipient     text not null,
    channel       text not null,
    address       text not null default '',
    person_id     int4 references person,            -- whose one-time links it carries
    unit_id       int4 references unit,              -- null where it is about several
    alert_ids     int8[] not null default '{}',
    case_id       int8,
    purpose       text not null,
    severity      text not null,
    language      text not null,
    title         text not null,
    body          text not null,
    picture       jsonb,                             -- what to draw; null without
    state         text not null default 'waiting'
                  check (state in ('waiting', 'sending', 'sent', 'failed', 'withdrawn')),
    attempts      int4 not null default 0,
    next_at       timestamptz not null default now(),
    leased_until  timestamptz,
    sent_at       timestamptz,
    receipt       text,
    error         text,
    created_at    timestamptz not null default now()
);
create index on alert_message (next_at) where state in ('waiting', 'sending');
create index on alert_message (channel, sent_at) where state = 'sent';
create index on alert_message using gin (alert_ids);
create index on alert_message (created_at);

create table case_file (
    id               int8 generated always as identity primary key,
    number           text generated always as ('C' || lpad(id::text, 6, '0')) stored unique,
    alert_id         int8 unique references alert,   -- one case an alert
    detection_id     int8,
    unit_id          int4 not null references unit,
    point_id         int4 references metering_point,
    meter_id         int4 references meter,
    kind             text not null,
    state            text not null check (state in
                     ('open', 'dispatched', 'on_site', 'verdict', 'ordered', 'recheck', 'closed')),
    assignee_id      int4 references person,
    verdict          text check (verdict in ('faulty', 'sound', 'load_changed', 'data_path')),
    found_on         date,
    energy_recovered float8,
    energy_unit      text not null default '',
    opened_at        timestamptz not null,
    verdict_at       timestamptz,
    due_on           date,
    due_certain      boolean not null default true,  -- false where the calendar does not know the days counted
    reminded         text not null default '',
    closed_at        timestamptz,
    updated_at       timestamptz not null
);
create index on case_file (unit_id, opened_at);
create index on case_file (due_on) where closed_at is null;

create table case_event (
    id        int8 generated always as identity primary key,
    case_id   int8 not null references case_file,
    unit_id   int4 not null,
    at        timestamptz not null,
    person_id int4 references person,
    by_name   text not null,                         -- as the person was called then
    action    text not null,
    state     text not null,                         -- after it
    note      text not null default '',
    facts     jsonb not null default '{}'
);
create index on case_event (case_id, id);

create table case_attachment (
    id         int8 generated always as identity primary key,
    case_id    int8 not null references case_file,
    unit_id    int4 not null,
    name       text not null,
    media_type text not null,
    sha256     bytea not null check (length(sha256) = 32),
    content    bytea not null,
    person_id  int4 references person,
    stored_at  timestamptz not null default now()
);
create index on case_attachment (case_id);
alter table case_attachment alter column content set storage external;   -- photos are compressed already

-- History is added to, never rewritten.
create function history_stands() returns trigger
    language plpgsql as $$
begin
    raise exception '% is append-only: a row of history may not be changed or deleted (got %)', tg_table_name, tg_op
        using errcode = 'restrict_violation';
end
$$;
create trigger history_stands before update or delete on case_event for each row execute function history_stands();
create trigger history_stands before update or delete on case_attachment for each row execute function history_stands();
create trigger history_stands before update or delete on alert_event for each row execute function history_stands();

create view alert_list as
select a.id, a.unit_id, u.code as unit_code, u.name as unit_name, a.point_id, p.code as point, a.meter_id, m.meter_no,
       p.carrier, a.kind, a.severity, a.state, a.since, a.raised_at, a.updated_at, a.cleared_at, a.acknowledged_at,
       h.name as acknowledged_by, a.energy_affected, a.energy_unit, a.title_zh, a.title_en, a.detections, a.standing,
       a.level, a.flaps, a.rule, c.id as case_id, c.number as case_number, c.state as case_state
from alert a
left join unit u on u.id = a.unit_id
left join metering_point p on p.id = a.point_id
left join meter m on m.id = a.meter_id
left join person h on h.id = a.acknowledged_by
left join case_file c on c.alert_id = a.id
where a.raised_at is not null;

create view case_list as
select c.id, c.number, c.alert_id, c.unit_id, u.code as unit_code, u.name as unit_name, c.point_id, p.code as point,
       c.meter_id, m.meter_no, c.kind, c.state, h.login as assignee, h.name as assignee_name, c.verdict, c.found_on,
       c.energy_recovered, c.energy_unit, c.opened_at, c.verdict_at, c.due_on, c.due_certain,
       c.closed_at is null and c.due_on < local_day(now()) as overdue, c.closed_at, c.updated_at
from case_file c
left join unit u on u.id = c.unit_id
left join metering_point p on p.id = c.point_id
left join meter m on m.id = c.meter_id
left join person h on h.id = c.assignee_id;

create view case_history as
select e.id, e.case_id, c.number, e.unit_id, u.code as unit_code, e.at, e.by_name, h.login, h.role, e.action, e.state,
       e.note, e.facts
from case_event e
join case_file c on c.id = e.case_id
left join unit u on u.id = e.unit_id
left join person h on h.id = e.person_id;

create view outbox_state as
select channel, state, count(*) as messages, min(created_at) as oldest_at, min(next_at) as next_at,
       max(attempts) as attempts, max(sent_at) as last_sent_at,
       (array_agg(error order by created_at desc) filter (where error is not null))[1] as last_error
from alert_message group by channel, state;

-- How right each detector was, as found on site: a fault of the meter or of its data path is a hit.
create view case_statistics as
select kind, count(*) as cases, count(verdict) as verdicts, count(*) filter (where verdict = 'faulty') as faulty,
       count(*) filter (where verdict = 'data_path') as data_path, count(*) filter (where verdict = 'sound') as sound,
       count(*) filter (where verdict = 'load_changed') as load_changed,
       count(*) filter (where verdict in ('faulty', 'data_path'))::float8 / nullif(count(verdict), 0) as precision,
       percentile_cont(0.5) within group (order by extract(epoch from verdict_at - opened_at) / 86400.0)
           filter (where verdict_at is not null) as median_days_to_verdict,
       count(*) filter (where closed_at is not null) as closed,
       count(*) filter (where closed_at is null and due_on < local_day(now())) as overdue,
       sum(energy_recovered) as energy_recovered, energy_unit
from case_file group by kind, energy_unit;
