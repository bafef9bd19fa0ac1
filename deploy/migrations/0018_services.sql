-- The program's own services, each as a role with what it needs: none is a superuser, none owns a table, none makes or
-- drops anything. What only an owner may do to chunks of readings is done by the functions of schema `upkeep`.

do $$
declare
    service name;
begin
    foreach service in array array['meterwarden_worker', 'meterwarden_sender', 'meterwarden_api', 'meterwarden_boards'] loop
        begin
            execute format('create role %I nologin', service);
        exception when duplicate_object or unique_violation then
            null;                                    -- another database of this server made it
        end;
        if not pg_has_role(service, 'meterwarden_service', 'member') then
            execute format('grant meterwarden_service to %I', service);
        end if;
    end loop;
end
$$;

create schema upkeep;

-- Whether a table is a chunk of readings; else an error.
create function upkeep.chunk_of_readings(chunk regclass) returns regclass
    language plpgsql stable
    set search_path = pg_catalog
as $$
begin
    if not exists (select from pg_inherits i where i.inhrelid = chunk and i.inhparent = 'public.reading_hot'::regclass) then
        raise exception 'it must be a chunk of reading_hot (got %)', chunk using errcode = 'wrong_object_type';
    end if;
    return chunk;
end
$$;

create function upkeep.seal(chunk regclass, index_name name) returns void
    language plpgsql security definer
    set search_path = pg_catalog
as $$
begin
    execute format('create index %I on %s (register_id, measured_at)', index_name, upkeep.chunk_of_readings(chunk));
end
$$;

-- Keep writers out of a chunk, or everybody, until the transaction ends.
create function upkeep.lock(chunk regclass, everybody boolean) returns void
    language plpgsql security definer
    set search_path = pg_catalog
as $$
begin
    execute format('lock table %s in %s mode', upkeep.chunk_of_readings(chunk),
                   case when everybody then 'access exclusive' else 'share row exclusive' end);
end
$$;

-- Empty a chunk whose readings have been moved into history.
create function upkeep.clear(chunk regclass) returns void
    language plpgsql security definer
    set search_path = pg_catalog
as $$
begin
    execute format('truncate %s', upkeep.chunk_of_readings(chunk));
end
$$;

-- Drop the chunk of an interval if it is empty; whether it was.
create function upkeep.drop_empty(chunk regclass, since timestamptz, until timestamptz) returns boolean
    language plpgsql security definer
    set search_path = pg_catalog, public
as $$
declare
    found boolean;
begin
    execute format('select exists (select from %s)', upkeep.chunk_of_readings(chunk)) into found;
    if found then
        return false;
    end if;
    perform drop_chunks('public.reading_hot', older_than => until, newer_than => since);
    return true;
end
$$;

-- Drop readings of before an instant, narrow and packed; for a service, no later ones than the site has settled to.
create function upkeep.retain(before timestamptz) returns void
    language plpgsql security definer
    set search_path = pg_catalog, public
as $$
declare
    settled constant timestamptz := (
        select now() - make_interval(days => value::int) from public.store_setting where name = 'retain_days');
begin
    if not pg_has_role(session_user, current_user, 'usage') and (settled is null or before > settled) then
        raise exception 'readings are kept longer than that here (asked to drop what is before %, settled is %)',
            before, coalesce(settled::text, 'to keep all') using errcode = 'insufficient_privilege';
    end if;
    perform drop_chunks('public.reading_hot', older_than => before);
    perform drop_chunks('public.reading_history', older_than => before::date);
end
$$;

create function upkeep.chunk_interval(length interval) returns void
    language plpgsql security definer
    set search_path = pg_catalog, public
as $$
begin
    perform set_chunk_time_interval('public.reading_hot', length);
end
$$;

revoke execute on all functions in schema upkeep from public;
grant usage on schema upkeep to meterwarden_worker;
grant execute on all functions in schema upkeep to meterwarden_worker;

-- What services may do to a table or view of schema public. Reading, adding, changing and deleting, where nothing else
-- is said here; a later migration says more by adding rows. '' is nothing at all.
create table board.service_right (
    service  name not null,
    relation name not null,
    rights   text not null,                          -- of select, insert, update, delete
    primary key (service, relation)
);
insert into board.service_right (service, relation, rights)
select s, t, case when t in ('api_token', 'gateway_token', 'link_use', 'access_log') and s = 'meterwarden_worker' then '' else 'select' end
from unnest(array['meterwarden_worker', 'meterwarden_api']) s
cross join unnest(array['schema_migration', 'measure_unit', 'store_setting', 'person', 'api_token', 'gateway_token', 'link_use', 'access_log']) t
where s = 'meterwarden_worker' or t in ('schema_migration', 'measure_unit', 'store_setting');
insert into board.service_right (service, relation, rights)
select 'meterwarden_worker', t, 'select, insert' from unnest(array['reading_hot', 'reading_history']) t   -- raw stays raw
union all
select 'meterwarden_api', t, 'select' from unnest(array[
    'reading_hot', 'reading_history', 'consumption_hour', 'consumption_day', 'unit_energy_hour', 'unit_energy_day',
    'balance_hour', 'balance_day', 'stream_fence', 'stream_snapshot', 'worker_sample', 'partition_sample']) t;

-- Give services their rights, on what later versions brought too; said again after every migration.
create procedure board.services()
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    r record;
begin
    grant usage on schema public to meterwarden_service;
    for r in select s.service, c.oid::regclass as name,
                    coalesce(t.rights, case c.relkind when 'v' then 'select' else 'select, insert, update, delete' end) as rights
             from pg_class c
             cross join unnest(array['meterwarden_worker', 'meterwarden_api']::name[]) as s (service)
             left join board.service_right t on t.service = s.service and t.relation = c.relname
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
    loop
        if r.rights = '' then
            execute format('revoke all on %s from %I', r.name, r.service);
        elsif exists (select from unnest(string_to_array(r.rights, ', ')) a where not has_table_privilege(r.service, r.name, a))
            or exists (select from unnest(array['insert', 'update', 'delete']) a
                       where has_table_privilege(r.service, r.name, a) and a <> all (string_to_array(r.rights, ', ')))
        then
            execute format('revoke all on %s from %I', r.name, r.service);
            execute format('grant %s on %s to %I', r.rights, r.name, r.service);
        end if;
    end loop;
    for r in select c.oid::regclass as name from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
                 and case c.relkind when 'S' then not has_sequence_privilege('meterwarden_worker', c.oid, 'usage') end
    loop
        execute format('grant usage, select on sequence %s to meterwarden_worker, meterwarden_api', r.name);
    end loop;
    -- the sender writes what became of a message, and draws the hours that it is about
    grant select on all tables in schema public to meterwarden_sender;
    revoke all on api_token, schema_migration, standard_document, ledger_version from meterwarden_sender;
    grant update on alert_message to meterwarden_sender;
    if to_regclass('public.gateway_token') is not null then
        revoke all on gateway_token from meterwarden_sender;
    end if;
    -- who puts boards into a Grafana makes roles and hands their passwords over, by functions alone
    grant select (id, code, name) on unit to meterwarden_boards;
    grant usage on schema board to meterwarden_boards, meterwarden_api, meterwarden_worker;
    grant select, insert, update, delete on board.organization to meterwarden_boards;
    grant select on board.role to meterwarden_boards, meterwarden_api;
    grant delete, update (handed_at) on board.role to meterwarden_boards;
    grant execute on function board.enrol(int4), board.enrolled(int4), board.set_password(name, text) to meterwarden_boards;
    grant execute on function board.enrolled(int4) to meterwarden_api;
    grant execute on function board.guard() to meterwarden_worker;
end
$$;
alter procedure board.services() set search_path = pg_catalog, public;

-- Row security is for enterprises; services see every row.
create or replace procedure board.rows()
    language plpgsql
    set search_path = public
as $$
declare
    own constant text := '(select array(select b.unit_id from board.role b where b.role = current_user))::int4[]';
    t record;
begin
    for t in
        select c.oid::regclass as name, case when c.relname = 'unit' then 'id' else 'unit_id' end as key
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
            and (c.relname = 'unit' or exists (
                select from pg_attribute a
                where a.attrelid = c.oid and a.attname = 'unit_id' and a.atttypid = 'int4'::regtype and not a.attisdropped))
            and not exists (select from timescaledb_information.hypertables h
                            where h.hypertable_schema = 'public' and h.hypertable_name = c.relname)
            and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'own_unit')
    loop
        execute format('alter table %s enable row level security', t.name);
        execute format('create policy own_unit on %s for select to meterwarden_lens using (%I = any (%s))', t.name, t.key, own);
    end loop;
    for t in
        select c.oid::regclass as name from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relrowsecurity
            and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'service')
    loop
        execute format('create policy service on %s to meterwarden_service using (true) with check (true)', t.name);
    end loop;
end
$$;

-- Make the login role of a service in this database, without a password, or see that it is as it should be; its name.
create function board.service(service text) returns name
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    login constant name := (left(current_database()::text, 44) || '_login_' || service)::name;   -- never one of the kinds above, whatever the database is called
    kind  constant name := ('meterwarden_' || service)::name;
    r record;
begin
    if service not in ('worker', 'sender', 'api', 'boards') then
        raise exception 'a service must be worker, sender, api or boards (got %)', service;
    end if;
    call board.lock_doors();
    if not exists (select from pg_roles where rolname = login) then
        execute format('create role %I login', login);
    elsif (select rolsuper from pg_roles where rolname = login) then
        raise exception 'the role % must be a service of this database (it exists and is a superuser)', login;
    end if;
    execute format('grant %I, %I to %I', kind, board.door(), login);
    execute format('grant temporary on database %I to %I', current_database(), login);
    if service = 'api' and current_setting('server_version_num')::int >= 160000 then
        for r in select b.role from board.role b join pg_roles o on o.rolname = b.role loop
            execute format('grant %I to %I with inherit false, set true', r.role, login);
        end loop;
    end if;
    return login;
end
$$;
revoke execute on function board.service(text) from public;
revoke execute on procedure board.services() from public;

call board.views();
call board.services();
