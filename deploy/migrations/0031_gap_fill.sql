-- Evaluations of missing data (JJF 1356, 7.2): what was evaluated for a span without evidence, by which method and whom,
-- and who approved it. They stand beside the measured amounts, never in them, and are taken back by a withdrawal.

create table gap_fill (
    id               int8 generated always as identity primary key,
    unit_id          int4 not null references unit,
    point_id         int4 not null references metering_point,
    started_at       timestamptz not null,
    ended_at         timestamptz not null check (ended_at > started_at),   -- half open, full hours
    amount           float8 not null check (amount >= 0 and amount < 'infinity'),   -- canonical unit of the point
    method           text not null check (method in ('neighbours', 'like_days', 'check_meter', 'balance', 'manual')),
    procedure        text not null check (procedure <> ''),      -- how it was done
    reliability      text not null check (reliability <> ''),    -- why it is to be believed
    inputs           jsonb not null default '{}',
    evaluated_by     text not null check (evaluated_by <> ''),
    evaluated_at     timestamptz not null default clock_timestamp(),
    approved_by      text check (approved_by <> evaluated_by),
    approved_at      timestamptz,
    withdrawn_by     text,
    withdrawn_at     timestamptz,
    withdrawn_reason text check (withdrawn_reason <> ''),
    check ((approved_at is null) = (approved_by is null)),
    check ((withdrawn_at is null) = (withdrawn_by is null) and (withdrawn_at is null) = (withdrawn_reason is null))
);
create index on gap_fill (unit_id, started_at);
create index on gap_fill (point_id, started_at) where withdrawn_at is null;
insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'gap_fill', ''), ('meterwarden_api', 'gap_fill', 'select, insert, update');

create view gap_fill_list as
select g.id, u.code as unit_code, u.name as unit_name, p.code as point, p.carrier, g.started_at, g.ended_at, g.amount,
       s.symbol as unit, g.method, g.procedure, g.reliability, g.inputs, g.evaluated_by, g.evaluated_at, g.approved_by,
       g.approved_at,
       case when g.withdrawn_at is not null then 'withdrawn' when g.approved_at is not null then 'approved'
            else 'proposed' end as state,
       g.withdrawn_reason, g.point_id, g.unit_id
from gap_fill g
join unit u on u.id = g.unit_id
join metering_point p on p.id = g.point_id
left join measure_unit s on s.code = p.amount_unit;

grant select on gap_fill to meterwarden_lens;
insert into board.view (view, shared) values ('gap_fill_list', true);
call board.views();
call board.services();
