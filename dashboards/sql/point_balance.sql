-- The balance that the point stands in, as parent or as child: parent, children, losses, and what is left over in percent of the parent.
with mine as (
    select coalesce(b.point_id, q.point_id) as point_id
    from ledger_point p
    left join lateral (
        select l.point_id from balance_list l where l.point_id = p.point_id limit 1
    ) b on true
    left join ledger_point q on q.unit_id = p.unit_id and q.point = p.parent_point
    where p.unit_code = ${unit:sqlstring} and p.point = ${point:sqlstring}
), cell as (
    select $__timeGroup(start, $__interval) as time, sum(parent_amount) as parent, sum(children_amount) as children,
           sum(loss_estimate) as losses, 100 * sum(residual) / nullif(sum(parent_amount), 0) as residual
    from balance_list
    where point_id = (select point_id from mine) and $__timeFilter(start)
    group by 1
)
select g.time, c.parent, c.children, c.losses, c.residual
from generate_series(
    time_bucket($__interval_ms * interval '1 millisecond', $__timeFrom()::timestamptz), $__timeTo()::timestamptz, $__interval_ms * interval '1 millisecond'
) g (time)
left join cell c on c.time = g.time
where exists (select from cell)   -- else nothing, so that the panel says so
order by 1
