-- Who comes in from outside, and what they may do and read: gateways and their units, people who have left, what of a
-- case an enterprise is shown, years that make sense, rows that the raiser of alerts could not read, and a log of
-- logins and refusals.

-- Gateways: devices and systems of enterprises that push readings, by HTTP, MQTT or Kafka.
create table gateway (
    id         int4 generated always as identity primary key,
    -- part of a topic's and a Kafka user's name
    name       text not null unique check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    all_units  boolean not null default false,       -- a collector of the authority itself
    valid_from timestamptz not null default now(),
    valid_to   timestamptz not null default 'infinity' check (valid_to >= valid_from),
    kafka_at   timestamptz,                          -- when Kafka was last given its credential; null: it has none
    note       text not null default '',
    created_at timestamptz not null default now()
);

-- By code, as readings name their unit; a gateway may be entered before the ledger that has the unit.
create table gateway_unit (
    gateway_id int4 not null references gateway on delete cascade,
    unit_code  text not null check (unit_code <> ''),
    primary key (gateway_id, unit_code)
);
create index on gateway_unit (unit_code);

create table gateway_token (
    id         int4 generated always as identity primary key,
    gateway_id int4 not null references gateway on delete cascade,
    digest     bytea not null unique check (length(digest) = 32),   -- SHA-256: the token itself is shown once
    created_at timestamptz not null default now(),
    expires_at timestamptz not null default 'infinity'
);
create index on gateway_token (gateway_id);

-- A link acts only while its person stands as they stood when it was made.
alter table person
    add column standing int4 not null default 1,     -- rises with each change of role, unit or standing
    add column ended_at timestamptz;

create function person_stands() returns trigger
    language plpgsql as $$
begin
    if (old.role, old.unit_id, old.active) is distinct from (new.role, new.unit_id, new.active) then
        new.standing := old.standing + 1;
        new.ended_at := case when new.active then null else coalesce(new.ended_at, clock_timestamp()) end;
        if (old.role, old.unit_id) is distinct from (new.role, new.unit_id) or not new.active then
            update api_token set revoked_at = clock_timestamp() where person_id = new.id and revoked_at is null;
        end if;
    end if;
    return new;
end
$$;
create trigger person_stands before update on person for each row execute function person_stands();

-- Years that make sense. A silence that reached further is cut off there, and still holds.
update alert_silence
set starts_at = least(greatest(starts_at, '2000-01-01 00:00+00'), '2199-12-30 00:00+00'),
    ends_at = least(greatest(ends_at, '2000-01-01 00:00:01+00'), '2199-12-31 00:00+00')
where starts_at < '2000-01-01 00:00+00' or ends_at > '2199-12-31 00:00+00';
alter table alert_silence
    add constraint alert_silence_years
        check (starts_at >= '2000-01-01 00:00+00' and ends_at <= '2199-12-31 00:00+00');

-- Rows of any table that could not become, or be part of, an alert: set aside, so that all others go on.
create table alert_aside (
    id         int8 generated always as identity primary key,
    source     text not null,                        -- the table or view
    source_key text not null,                        -- of the row in it
    error      text not null,
    row        jsonb,                                -- as far as it could be read
    seen_at    timestamptz not null default clock_timestamp(),
    solved_at  timestamptz,                          -- when it was read without fault, or somebody looked after it
    unique (source, source_key)
);

-- Notes, facts and files are for the authority alone unless who writes them says otherwise; what an enterprise's own
-- people wrote is always theirs to see. `by_role` is the role at that time, null in rows older than this.
alter table alert_event add column internal boolean not null default true, add column by_role text;
alter table case_event add column internal boolean not null default true, add column by_role text;
alter table case_attachment add column internal boolean not null default true, add column by_role text;

create or replace view case_history as
select e.id, e.case_id, c.number, e.unit_id, u.code as unit_code, e.at, e.by_name, h.login, h.role, e.action, e.state,
       e.note, e.facts,
       case when s.own then e.by_name when e.person_id is null then 'meterwarden' else 'authority' end as shared_by,
       case when s.own or not e.internal then e.note else '' end as shared_note,
       case when s.own or not e.internal then e.facts - 'assignee'
            else e.facts - '{assignee,name,bytes,sha256}'::text[] end as shared_facts,
       e.internal
from case_event e
join case_file c on c.id = e.case_id
left join unit u on u.id = e.unit_id
left join person h on h.id = e.person_id
cross join lateral (
    select coalesce(e.by_role = 'enterprise', h.role = 'enterprise' and h.unit_id = e.unit_id, false) as own
) s;

create view alert_history as
select e.id, e.alert_id, e.unit_id, u.code as unit_code, e.at, coalesce(h.name, 'meterwarden') as by_name, h.login,
       h.role, e.action, e.note,
       case when s.own then h.name when e.person_id is null then 'meterwarden' else 'authority' end as shared_by,
       case when s.own or not e.internal then e.note else '' end as shared_note,
       e.internal
from alert_event e
join alert a on a.id = e.alert_id and a.raised_at is not null
left join unit u on u.id = e.unit_id
left join person h on h.id = e.person_id
cross join lateral (
    select coalesce(e.by_role = 'enterprise', h.role = 'enterprise' and h.unit_id = e.unit_id, false) as own
) s;

create view attachment_list as
select f.id, f.case_id, f.unit_id, f.name, f.media_type, octet_length(f.content) as bytes,
       encode(f.sha256, 'hex') as sha256, f.stored_at,
       coalesce(f.by_role = 'enterprise', h.role = 'enterprise' and h.unit_id = f.unit_id, false)
           or not f.internal as shared
from case_attachment f
left join person h on h.id = f.person_id;

insert into board.view (view, shared, hidden) values
    ('alert_history', true, '{by_name,login,role,note,internal}')
on conflict (view) do update set shared = excluded.shared, hidden = excluded.hidden;
update board.view set hidden = '{by_name,login,role,note,facts,internal}' where view = 'case_history';
grant select on alert_event to meterwarden_lens;

-- Logins, and what was refused: kept for audit. No token, link or password stands in it.
create table access_log (
    id       int8 generated always as identity primary key,
    at       timestamptz not null default clock_timestamp(),   -- the first of them
    last_at  timestamptz not null default clock_timestamp(),
    times    int4 not null default 1 check (times >= 1),       -- the same, within a minute, in one row
    door     text not null,                          -- api, pages, metrics, gateway …
    event    text not null check (event in ('login', 'logout', 'refused', 'limited')),
    who      text not null default '',               -- login or gateway, as far as it was proven
    claimed  text not null default '',               -- the name that was only claimed
    client   text not null default '',               -- address
    method   text not null default '',
    route    text not null default '',               -- the pattern of the path, never a link
    status   int2,
    reason   text not null default ''
);
create index on access_log (at);
create index on access_log (who, at) where who <> '';

-- The law asks for six months of such logs; less than that is never deleted.
create function access_log_trim(keep_days int4) returns int8
    language sql security definer
    set search_path = public, pg_temp
    as $$
    with gone as (
        delete from access_log where last_at < now() - make_interval(days => greatest(keep_days, 183)) returning 1
    )
    select count(*) from gone
    $$;
revoke execute on function access_log_trim(int4) from public;
