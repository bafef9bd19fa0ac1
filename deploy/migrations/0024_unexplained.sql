-- What registers rose by and nobody could explain: beside the amounts, never in them, until a person has decided.

alter table detection
    add unexplained float8 generated always as ((evidence ->> 'unexplained')::float8) stored;  -- canonical unit of the point

-- One row for each difference that waits for a decision; a decision is a correction of the ledger, after which the
-- register ends and begins again there, and the row is gone.
create view unexplained_difference as
select u.code as unit_code, u.name as unit_name, p.code as point, p.carrier, m.meter_no, d.started_at,
       local_day(d.started_at) as day, d.unexplained, s.symbol as unit, (d.evidence ->> 'before')::float8 as dial_before,
       (d.evidence ->> 'at')::float8 as dial_after, d.id, d.point_id, d.unit_id
from detection d
left join unit u on u.id = d.unit_id
left join metering_point p on p.id = d.point_id
left join meter m on m.id = d.meter_id
left join measure_unit s on s.code = p.amount_unit
where d.kind = 'jump' and d.state <> 'withdrawn' and d.unexplained > 0;
create index on detection (unit_id, started_at) where kind = 'jump';

insert into board.view (view, shared) values ('unexplained_difference', true);
call board.views();
