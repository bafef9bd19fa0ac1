-- Reviews of energy metering (能源计量审查), and the yearly self-checks of enterprises by the same sheet: the plan of a year,
-- draws that can be repeated, what was found item by item, the conclusion, correction and re-check, and every step's history.

create table review_draw (
    id       int4 generated always as identity primary key,
    year     int4 not null check (year between 2000 and 2199),
    seed     text not null check (seed <> ''),
    pool     text[] not null,                        -- codes that were drawn from
    drawn    text[] not null,                        -- in the order in which they were
    reason   text not null default '',
    drawn_by text not null,
    drawn_at timestamptz not null default clock_timestamp()
);

create table review (
    id           int8 generated always as identity primary key,
    unit_id      int4 not null references unit,
    year         int4 not null check (year between 2000 and 2199),
    origin       text not null check (origin in ('plan', 'draw', 'other', 'self_check')),
    draw_id      int4 references review_draw,
    state        text not null default 'planned'
                 check (state in ('planned', 'open', 'correcting', 'recheck', 'closed', 'handed_over')),
    leader       text not null default '',
    members      text[] not null default '{}',
    papers       jsonb not null default '{}',        -- received: name, day
    visited_on   date,
    conclusion   text not null default '' check (conclusion in ('', 'meets', 'basic', 'fails')),
    failed       int4 not null default 0,
    concluded_on date,
    due          date,
    due_certain  boolean not null default true,      -- false where the calendar does not know the days counted
    corrected_on date,
    rechecked_on date,
    closed_on    date,
    reason       text not null default '',           -- of handing over
    rules        text not null default '',           -- the sheet that it was concluded by
    planned_by   text not null,
    planned_at   timestamptz not null default clock_timestamp(),
    check ((origin = 'draw') = (draw_id is not null))
);
create unique index on review (unit_id, year, (origin = 'self_check'))   -- one at a time
    where state not in ('closed', 'handed_over');
create index on review (year, state);

create table review_item (
    review_id   int8 not null references review,
    unit_id     int4 not null,
    item        int4 not null check (item between 1 and 999),
    result      text not null check (result in ('pass', 'fail', 'not_applicable')),
    remark      text not null default '',
    recorded_by text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (review_id, item)
);
create index on review_item (unit_id);

create table review_photo (
    id         int8 generated always as identity primary key,
    review_id  int8 not null references review,
    unit_id    int4 not null,
    item       int4 not null,
    name       text not null,
    media_type text not null check (media_type in ('image/jpeg', 'image/png', 'application/pdf')),
    sha256     bytea not null check (length(sha256) = 32),
    content    bytea not null,
    taken_by   text not null,
    stored_at  timestamptz not null default clock_timestamp()
);
alter table review_photo alter column content set storage external;   -- compressed already
create index on review_photo (review_id, item);
create index on review_photo (unit_id);

create table review_event (
    id        int8 generated always as identity primary key,
    review_id int8 not null references review,
    unit_id   int4 not null,
    at        timestamptz not null default clock_timestamp(),
    by_name   text not null,
    action    text not null,
    state     text not null,                         -- after it
    note      text not null default '',
    facts     jsonb not null default '{}'
);
create index on review_event (review_id, id);
create index on review_event (unit_id);

create trigger history_stands before update or delete on review_event for each row execute function history_stands();
create trigger history_stands before update or delete on review_photo for each row execute function history_stands();
create trigger history_stands before update or delete on review_draw for each row execute function history_stands();

-- The worker has nothing to do with reviews; an enterprise reads its own through the API.
insert into board.service_right (service, relation, rights)
select s, t, case s when 'meterwarden_api' then 'select' else '' end
from unnest(array['meterwarden_worker', 'meterwarden_api']) s
cross join unnest(array['review_draw', 'review', 'review_item', 'review_photo', 'review_event']) t;

create view review_list as
select r.id, u.code as unit_code, u.name as unit_name, r.year, r.origin, r.state, r.leader, r.members, r.visited_on,
       r.conclusion, r.failed, r.concluded_on, r.due, r.due_certain, r.due < local_day(now()) as overdue, r.corrected_on,
       r.rechecked_on, r.closed_on, r.reason, r.unit_id
from review r
join unit u on u.id = r.unit_id;

-- What does not conform, once the review is concluded; the unit has to correct it.
create view review_fault_list as
select r.id as review_id, u.code as unit_code, r.year, i.item, i.remark, r.unit_id
from review r
join unit u on u.id = r.unit_id
join review_item i on i.review_id = r.id and i.result = 'fail'
where r.concluded_on is not null;

grant select on review, review_item to meterwarden_lens;
insert into board.view (view, shared, hidden) values
    ('review_list', true, '{leader,members,reason}'), ('review_fault_list', true, '{}');
call board.views();
call board.services();
