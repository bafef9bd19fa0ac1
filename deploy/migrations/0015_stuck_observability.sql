-- A third question beside drift and ratio: whether a stuck dial would be seen. Not a smallest error, but hours, say how well.

alter table observability
    add hours_typical float8,                        -- until a jam is told, in the middle over the hours it may begin
    add hours_worst   float8;                        -- and at the worst of them; null where it is not known

create or replace view observability_list as
select u.code as unit_code, u.name as unit_name, p.code as point, p.carrier, q.code as parent_point, o.question,
       o.verdict, o.reason, o.smallest_30d, o.smallest_90d, o.detail, o.as_of, o.point_id, o.unit_id, o.hours_typical,
       o.hours_worst
from observability o
left join unit u on u.id = o.unit_id
left join metering_point p on p.id = o.point_id
left join metering_point q on q.id = p.parent_id;
call board.views();
