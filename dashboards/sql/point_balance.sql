-- The balance that the point stands in, as parent or as child: parent, children, losses, and what is left over in percent of the parent.
with point as materialized (   -- first, for only what is known before finds rows through both walls by an index
    select point_id, unit_id, parent_point from ledger_point where unit_code = ${unit:sqlstring} and point = ${point:sqlstring}
), mine as materialized (
    select coalesce(
        (select point_id from balance_list where point_id = (select point_id from point) limit 1),
        (select point_id from ledger_point
         where unit_id = (select unit_id from point) and point = (select parent_point from point))
    ) as point_id
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
