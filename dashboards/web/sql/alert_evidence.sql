-- What an alert rests on: its detections, findings and due verifications, the standing ones first.
select coalesce(d.point, f.point, v.point) as point, coalesce(d.meter_no, f.meter_no, array_to_string(f.meters, ', '), v.meter_no) as meter_no,
       coalesce(d.kind, s.source) as kind, coalesce(d.severity, f.severity, case v.state when 'overdue' then 'warning' else 'info' end) as severity,
       coalesce(d.started_at, f.opened_at) as started_at, coalesce(d.ended_at, f.closed_at) as ended_at, d.magnitude, d.magnitude_low,
       d.magnitude_high, d.energy_unit, d.evidence, f.edition, f.clause, f.required, f.found, f.required_zh, f.found_zh,
       f.next_step_zh, f.next_step_en, v.verification_due, v.days_left
from alert_source_list s
left join detection_list d on s.source = 'detection' and d.id = s.source_id
left join finding_list f on s.source = 'finding' and f.id = s.source_id
left join lateral (
    select point, meter_no, state, verification_due, days_left from verification_state where meter_id = s.source_id order by point limit 1
) v on s.source = 'verification'
where s.alert_id = %(alert)s and coalesce(d.state, '') <> 'withdrawn'
order by s.standing desc, array_position(array['serious', 'warning', 'info'], coalesce(d.severity, f.severity, 'warning')),
    coalesce(d.started_at, f.opened_at), point
limit 60
