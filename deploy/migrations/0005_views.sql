-- What people, boards and reports read; names in streams.store.views. Left joins to a primary key cost nothing where
-- their columns are not asked for.

create function local_day(at timestamptz) returns date
    language sql stable parallel safe
    return (at at time zone local_zone())::date;

-- The quality of an hour in words, as analytics.domain.quality.hour_flag_names has them.
create function hour_quality(quality int2) returns text
    language sql immutable parallel safe
    return coalesce(nullif(concat_ws('|',
        case when quality & 1 <> 0 then 'estimated' end,
        case when quality & 2 <> 0 then 'rollover' end,
        case when quality & 4 <> 0 then 'replacement' end,
        case when quality & 8 <> 0 then 'suspect' end,
        case when quality & 16 <> 0 then 'break' end,
        case when quality & 32 <> 0 then 'multiplier_change' end), ''), 'measured');

create view reading as
select u.code as unit_code, p.code as point, m.meter_no, r.name as register, h.measured_at, h.received_at,
       stored_at(h.xmin) as stored_at, h.value, s.symbol as unit, h.quality, h.register_id, i.point_id, r.unit_id,
       (h.measured_at at time zone 'UTC')::date as day
from reading_hot h
join register r on r.id = h.register_id
left join meter m on m.id = r.meter_id
left join unit u on u.id = r.unit_id
left join measure_unit s on s.code = h.unit
left join installation i
    on i.meter_id = r.meter_id and h.measured_at >= i.installed_from and h.measured_at < i.installed_to
left join metering_point p on p.id = i.point_id;

create view ledger_point as
select u.code as unit_code, u.name as unit_name, p.code as point, q.code as parent_point, p.parent_complete, p.level,
       s.name as sub_unit, e.name as equipment, p.carrier, p.direction, p.required, x.reason as exemption,
       p.annual_use, p.rated_power_kw, a.symbol as unit, p.id as point_id, p.unit_id
from metering_point p
join unit u on u.id = p.unit_id
left join metering_point q on q.id = p.parent_id
left join sub_unit s on s.id = p.sub_unit_id
left join main_equipment e on e.id = p.equipment_id
left join exemption x on x.point_id = p.id
left join measure_unit a on a.code = p.amount_unit;

create view ledger_meter as
select u.code as unit_code, u.name as unit_name, p.code as point, m.meter_no, m.serial_no, i.name, i.model, i.range,
       i.manufacturer, i.place, i.instrument, i.purpose, i.accuracy_class, i.status, a.symbol as unit, i.multiplier,
       i.full_scale, i.max_rate, i.interval_s, i.installed_from, nullif(i.installed_to, 'infinity') as installed_to,
       i.first_reading, i.last_reading, v.verified_on, v.cycle_months, v.verification_due, i.id as installation_id,
       i.point_id, i.meter_id, i.unit_id
from installation i
join unit u on u.id = i.unit_id
join metering_point p on p.id = i.point_id
join meter m on m.id = i.meter_id
left join measure_unit a on a.code = i.measure_unit
left join lateral (
    select c.verified_on, c.cycle_months, c.verification_due from verification c
    where c.meter_id = i.meter_id
    order by c.verification_due desc nulls last, c.verified_on desc nulls last
    limit 1
) v on true;

create view point_hour as
select u.code as unit_code, p.code as point, p.carrier, p.level, p.direction, h.start, h.amount, a.symbol as unit,
       h.completeness, h.measured, h.quality, hour_quality(h.quality) as quality_text, h.revision, h.point_id, h.unit_id
from consumption_hour h
left join unit u on u.id = h.unit_id
left join metering_point p on p.id = h.point_id
left join measure_unit a on a.code = p.amount_unit;

create view point_day as
select u.code as unit_code, p.code as point, p.carrier, p.level, p.direction, d.day, d.amount, a.symbol as unit,
       d.completeness, d.measured, d.quality, hour_quality(d.quality) as quality_text, d.revision, d.point_id, d.unit_id
from consumption_day d
left join unit u on u.id = d.unit_id
left join metering_point p on p.id = d.point_id
left join measure_unit a on a.code = p.amount_unit;

create view unit_hour as
select u.code as unit_code, u.name as unit_name, s.scope, s.name, s.sub_unit, s.carrier, t.start, t.amount, s.unit,
       t.tce, t.completeness, t.measured, t.quality, hour_quality(t.quality) as quality_text,
       f.description as factor, t.series_id, t.unit_id
from unit_energy_hour t
left join unit u on u.id = t.unit_id
left join energy_series s on s.id = t.series_id
left join factor f on f.id = t.factor_id;

create view unit_day as
select u.code as unit_code, u.name as unit_name, s.scope, s.name, s.sub_unit, s.carrier, t.day, t.amount, s.unit,
       t.tce, t.completeness, t.measured, t.quality, hour_quality(t.quality) as quality_text,
       f.description as factor, t.series_id, t.unit_id
from unit_energy_day t
left join unit u on u.id = t.unit_id
left join energy_series s on s.id = t.series_id
left join factor f on f.id = t.factor_id;

-- How complete the data of a unit's metered points is, by local day; a point without a row counts as 0.
create view unit_completeness as
select u.code as unit_code, u.name as unit_name, c.day, e.points as points_expected, c.points as points_with_data,
       c.completeness / nullif(e.points, 0) as completeness, c.measured / nullif(e.points, 0) as measured,
       u.id as unit_id
from unit u
cross join lateral (
    select d.day, count(*) as points, sum(d.completeness) as completeness, sum(d.measured) as measured
    from consumption_day d where d.unit_id = u.id group by d.day
) c
cross join lateral (
    select count(distinct i.point_id) as points
    from metering_point p join installation i on i.point_id = p.id
    where p.unit_id = u.id
        and i.installed_from < (c.day + 1)::timestamp at time zone local_zone()
        and i.installed_to > c.day::timestamp at time zone local_zone()
) e;

create view detection_list as
select u.code as unit_code, p.code as point, m.meter_no, d.kind, d.started_at, d.ended_at, d.detected_at, d.magnitude,
       d.confidence, d.evidence, d.state, d.stored_at, d.id, d.point_id, d.meter_id, d.unit_id
from detection d
left join unit u on u.id = d.unit_id
left join metering_point p on p.id = d.point_id
left join meter m on m.id = d.meter_id;

create view rejected_by_reason as
select time_bucket(interval '1 hour', stored_at) as hour, unit_code, reason, count(*) as records,
       sum(readings) as readings, count(*) filter (where replayed_at is null) as pending, max(stored_at) as last_at
from rejected group by 1, 2, 3;

create view pipeline_state as
select f.consumer_group, f.topic, f.partition, f.next_offset, f.owner, f.epoch, f.assigned_at, f.moved_at,
       s.next_offset as snapshot_offset, s.taken_at as snapshot_at, octet_length(s.state) as snapshot_bytes,
       s.ledger_version, f.topic_id
from stream_fence f
left join stream_snapshot s
    on (s.consumer_group, s.topic_id, s.partition) = (f.consumer_group, f.topic_id, f.partition);

create view pipeline_backlog as
select (select count(*) from rejected where not relayed) as rejected_unrelayed,
       (select count(*) from dirty_hour) as stale_marks,
       (select min(marked_at) from dirty_hour) as stale_since,
       (select max(id) from ledger_version) as ledger_version;
