-- How the devices are that gateways read: the newest status of each meter, and since when it is so. A gateway sends it
-- as a reading of the register device_status (ingest.gateway.rounds), when it changes and every hour.

create table device_status_word (
    code int2 primary key,
    name text not null unique,
    zh   text not null,
    en   text not null
);
insert into device_status_word (code, name, zh, en) values
    (0, 'ok', '采集正常', 'read without fault'),
    (1, 'no_answer', '设备无应答', 'the device does not answer'),
    (2, 'bad_frame', '应答报文错误', 'the answer is no frame of the protocol'),
    (3, 'other_answer', '应答来自其他设备', 'another device answers'),
    (4, 'refused', '设备拒绝应答', 'the device refuses'),
    (5, 'no_value', '应答中无有效数值', 'the answer holds no usable value'),
    (6, 'no_room', '采集网关存储已满', 'the spool of the gateway is full');

create table device_status (
    meter_id int4 primary key references meter on delete cascade,
    unit_id  int4 not null references unit,
    code     int2 not null,
    since    timestamptz not null,
    told_at  timestamptz not null
) with (fillfactor = 70);
create index on device_status (unit_id);

-- For staff, and for whoever asks why a meter is silent.
create view device_state as
select u.code as unit_code, m.meter_no, s.code, coalesce(w.name, 'unknown') as status, w.zh as status_zh,
       w.en as status_en, s.since, s.told_at, s.told_at < now() - interval '70 minutes' as gateway_silent,
       s.unit_id, s.meter_id
from device_status s
join meter m on m.id = s.meter_id
join unit u on u.id = s.unit_id
left join device_status_word w on w.code = s.code;

-- A silence says its cause where a gateway knows it: in the evidence, which boards and messages show.
create function silence_cause() returns trigger
    language plpgsql as $$
declare
    s record;
    at_zh text;
begin
    select d.code, d.status_zh, d.status_en, d.status, d.since, d.told_at, d.gateway_silent into s
    from device_state d where d.meter_id = new.meter_id;
    if not found or (s.code = 0 and not s.gateway_silent) then
        return new;
    end if;
    at_zh := to_char((case when s.gateway_silent then s.told_at else s.since end) at time zone local_zone(),
                     'YYYY-MM-DD HH24:MI');
    new.evidence := new.evidence || case when s.gateway_silent then jsonb_build_object(
        'cause', '采集网关自 ' || at_zh || ' 起无报文',
        'cause_en', 'nothing from the gateway since ' || at_zh)
    else jsonb_build_object(
        'cause', coalesce(s.status_zh, s.status) || '，自 ' || at_zh || ' 起',
        'cause_en', coalesce(s.status_en, s.status) || ', since ' || at_zh)
    end;
    return new;
end
$$;
create trigger silence_cause before insert or update on detection
    for each row when (new.kind = 'silence' and new.state = 'open') execute function silence_cause();
