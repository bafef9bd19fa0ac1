-- What everybody may call, look into or connect to is closed as far as this database's user may close it, again after
-- every migration, for an extension's update opens its routines anew. A viewer of boards could drop chunks of everybody
-- in a read-only transaction, and end the server by merging a chunk with itself.

-- Routines of extensions that everybody may execute and that do more than compute. What boards need is left out.
create view board.loose as
select p.oid::regprocedure as routine, p.proowner, e.extname
from pg_depend d
join pg_extension e on e.oid = d.refobjid
join pg_proc p on p.oid = d.objid
where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'
    and e.extname <> 'plpgsql'
    and (p.provolatile = 'v' or p.provolatile = 's' and e.extname like 'timescaledb%')
    and not (e.extname = 'timescaledb' and p.proname in ('time_bucket_gapfill', 'locf', 'interpolate'))
    and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0);

-- Close what can be closed; by whoever owns the extension, mostly a superuser. Owner of the database and the program's
-- own services keep what they work with.
create procedure board.shut()
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    super constant boolean := (select rolsuper from pg_roles where rolname = current_user);
    ours constant name := (select pg_get_userbyid(datdba) from pg_database where datname = current_database());
    r record;
begin
    for r in select l.routine from board.loose l where super or pg_has_role(current_user, l.proowner, 'usage') loop
        execute format('grant execute on routine %s to %I', r.routine, ours);
        execute format('revoke execute on routine %s from public', r.routine);
    end loop;
    -- which chunks there are, and how large, is nobody's business
    for r in select c.oid::regclass as name, n.nspname as schema
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname in ('_timescaledb_catalog', '_timescaledb_config', '_timescaledb_internal', '_timescaledb_cache',
                                 'timescaledb_information', 'timescaledb_experimental')
                 and c.relkind in ('r', 'v', 'S', 'p') and (super or pg_has_role(current_user, c.relowner, 'usage'))
                 and exists (select from aclexplode(c.relacl) a where a.grantee = 0)
    loop
        execute format('revoke all on %s from public', r.name);
        execute format('grant select on %s to meterwarden_service, %I', r.name, ours);
    end loop;
    call board.lock_doors();
    if not super then
        return;
    end if;
    -- of the server: locks that hold others up, what fills the disk, what others do, and how much was read below a view
    for r in select p.oid::regprocedure as routine from pg_proc p
             where p.pronamespace = 'pg_catalog'::regnamespace
                 and (p.proname ~ '^(pg_(try_)?advisory_|lo_|lowrite$|loread$|pg_stat_get_)'
                      or p.proname in ('pg_logical_emit_message', 'pg_notify', 'pg_lock_status', 'pg_prepared_xact'))
                 and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0)
    loop
        execute format('grant execute on function %s to meterwarden_service, pg_monitor, %I', r.routine, ours);
        execute format('revoke execute on function %s from public', r.routine);
    end loop;
    for r in select p.oid::regprocedure as routine from pg_proc p   -- 0010 gave these to the owner alone
             where p.pronamespace = 'pg_catalog'::regnamespace and p.proname ~ '^pg_(try_)?advisory_'
                 and not has_function_privilege('meterwarden_service', p.oid, 'execute')
    loop
        execute format('grant execute on function %s to meterwarden_service', r.routine);
    end loop;
    if has_language_privilege('public', 'plpgsql', 'usage') then   -- no program of a viewer's own
        execute format('grant usage on language plpgsql to %I', ours);
        revoke usage on language plpgsql from public;
    end if;
end
$$;

do $$
begin
    begin
        create role meterwarden_service nologin;     -- the program's own services: worker, sender, API, provisioning
    exception when duplicate_object or unique_violation then
        null;                                        -- another database of this server made it
    end;
end
$$;

-- The roles of one database that may connect to it, be they people's or services'.
create function board.door() returns name
    language sql stable
    return (left(current_database()::text, 44) || '_door')::name;

-- Let the roles of this database in, and no others; said at every enrolment, for a copy of a database has the rights of
-- a new one. Who could connect before and is no role of another database of ours can connect afterwards.
create procedure board.lock_doors()
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    here constant name := current_database();
    door constant name := board.door();
    r record;
begin
    perform pg_advisory_xact_lock(x'6d77000b'::int4);   -- two at once would change the same row
    if not exists (select from pg_roles where rolname = door) then
        begin
            execute format('create role %I nologin', door);
        exception when duplicate_object or unique_violation then
            null;
        end;
    end if;
    if not exists (select from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                   where d.datname = here and a.grantee = 0)
        and exists (select from pg_database d, aclexplode(d.datacl) a
                    where d.datname = here and a.grantee = (select oid from pg_roles where rolname = door)) then
        return;
    end if;
    for r in select o.rolname from pg_roles o
             where o.rolcanlogin and not o.rolsuper
                 and not exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
                                 where m.member = o.oid and g.rolname ~ '^meterwarden_|_door$')
                 and has_database_privilege(o.oid, here, 'connect')
    loop
        execute format('grant connect on database %I to %I', here, r.rolname);
    end loop;
    execute format('grant connect on database %I to %I', here, door);
    -- no disk filled with temporary tables either
    execute format('revoke connect, temporary on database %I from public', here);
end
$$;

-- Databases of this server, other than this one, that a viewer could connect to, where none of the limits hold.
create view board.elsewhere as
select d.datname as database
from pg_database d
where d.datallowconn and d.datname <> current_database()
    and exists (select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                where a.grantee = 0 and a.privilege_type = 'CONNECT');

-- Make a unit's role, or the staff's for null, without a password and with its limits; safe to repeat, and what the
-- role changed of itself is set back.
create or replace function board.enrol(unit int4) returns name
    language plpgsql security definer
    set search_path = pg_catalog
as $$
declare
    login  constant name := board.role_name(unit);
    viewer constant name := case when unit is null then 'meterwarden_staff_viewer' else 'meterwarden_enterprise_viewer' end;
    here   constant name := current_database();
    super  constant boolean := (select rolsuper from pg_roles where rolname = current_user);
    sixteen constant boolean := current_setting('server_version_num')::int >= 160000;
    api    constant name := (left(current_database()::text, 44) || '_login_api')::name;   -- made by board.service
    loose  constant text := (select string_agg(l.routine::text, ', ') from (select routine from board.loose limit 3) l);
begin
    if loose is not null then
        raise exception 'no role for viewers can be made: everybody may execute % routines of extensions (%, ...), which drop '
            'chunks or end the server', (select count(*) from board.loose), loose
            using errcode = 'insufficient_privilege', hint = format(
                'the owner of the extension (%s) must close them, and again after each update of it: call board.shut()',
                (select string_agg(distinct pg_get_userbyid(l.proowner), ', ') from board.loose l));
    end if;
    call board.lock_doors();
    if not exists (select from pg_roles where rolname = login) then
        execute format('create role %I login', login);
        execute format('grant %I to %I', viewer, login);
    elsif not pg_has_role(login, viewer, 'member') or (select rolsuper from pg_roles where rolname = login) then
        raise exception 'the role % must be a viewer of this database (it exists and is something else)', login;
    end if;
    if not pg_has_role(login, board.door(), 'member') then
        execute format('grant %I to %I', board.door(), login);
    end if;
    if not super and sixteen then                    -- to end its sessions, when it goes or does not end them itself
        execute format('grant %I to %I with inherit true', login, current_user);
    end if;
    if exists (select from pg_roles where rolname = api) and sixteen then   -- which asks in its name; inherits nothing
        execute format('grant %I to %I with inherit false, set true', login, api);
    end if;
    execute format('alter role %I connection limit %s', login, case when unit is null then 40 else 6 end);
    execute format('alter role %I reset all', login);
    execute format('alter role %I in database %I reset all', login, here);
    execute format('alter role %I in database %I set default_transaction_read_only = on', login, here);
    execute format('alter role %I in database %I set statement_timeout = %L', login, here, '20s');
    execute format('alter role %I in database %I set idle_in_transaction_session_timeout = %L', login, here, '30s');
    execute format('alter role %I in database %I set lock_timeout = %L', login, here, '5s');
    execute format('alter role %I in database %I set search_path = %s', login, here,
                   case when unit is null then 'public' else 'enterprise, public' end);
    if super then                                    -- the role itself cannot undo this one
        execute format('alter role %I in database %I set temp_file_limit = %L', login, here, '1GB');
    end if;
    insert into board.role (role, unit_id) values (login, unit) on conflict (role) do nothing;
    return login;
end
$$;

-- The role of a unit, or of the staff for null, made where it is missing.
create function board.enrolled(unit int4) returns name
    language plpgsql security definer
    set search_path = pg_catalog
as $$
declare
    login constant name := (select r.role from board.role r where r.unit_id is not distinct from unit);
begin
    if login is not null and exists (select from pg_roles where rolname = login) then
        return login;
    end if;
    if unit is not null and not exists (select from public.unit u where u.id = unit) then
        raise exception 'a role must be of a unit of the ledger (got id %)', unit using errcode = 'no_data_found';
    end if;
    return board.enrol(unit);
end
$$;

-- What a viewer undid of his own limits is done again, and his sessions that go on for longer than any limit allows are
-- ended; how many. Asked every half a minute by a worker, for a role may always change its own settings.
create function board.guard() returns int4
    language plpgsql security definer
    set search_path = pg_catalog
as $$
declare
    r record;
    ended int4 := 0;
    allowed constant text[] := array['default_transaction_read_only=on', 'statement_timeout=20s', 'lock_timeout=5s',
        'idle_in_transaction_session_timeout=30s', 'search_path=public', 'search_path=enterprise, public', 'temp_file_limit=1GB'];
begin
    for r in select b.unit_id, b.role from board.role b join pg_roles o on o.rolname = b.role
             join pg_db_role_setting s on s.setrole = o.oid
             where not s.setconfig <@ allowed or s.setdatabase = 0
    loop
        perform board.enrol(r.unit_id);
    end loop;
    for r in select a.pid from pg_stat_activity a join board.role b on b.role = a.usename
             where a.datname = current_database() and now() - a.xact_start > interval '60 s'
    loop
        ended := ended + pg_terminate_backend(r.pid)::int;
    end loop;
    return ended;
end
$$;

-- A role goes with its row, whoever deletes it.
create or replace function board.role_gone() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog
as $$
begin
    perform pg_terminate_backend(pid) from pg_stat_activity where usename = old.role and datname = current_database();
    if exists (select from pg_roles where rolname = old.role) then
        execute format('drop role %I', old.role);
    end if;
    return null;
end
$$;
create or replace function board.unit_gone() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog
as $$
begin
    delete from board.role r where r.unit_id is not null and not exists (select from public.unit u where u.id = r.unit_id);
    return null;
end
$$;

-- A password's verifier for a role of this database, for whoever hands passwords over.
create function board.set_password(login name, verifier text) returns void
    language plpgsql security definer
    set search_path = pg_catalog
as $$
begin
    if not exists (select from board.role r where r.role = login) then
        raise exception 'the role must be one of this database''s viewers (got %)', login;
    end if;
    if verifier !~ '^SCRAM-SHA-256\$' then           -- never the password itself, which logs would keep
        raise exception 'a password comes here as its SCRAM-SHA-256 verifier';
    end if;
    update board.role r set password_at = now(), handed_at = null where r.role = login;
    execute format('alter role %I login password %L', login, verifier);
end
$$;

revoke execute on function board.enrol(int4), board.enrolled(int4), board.guard(), board.set_password(name, text),
    board.role_gone(), board.unit_gone() from public;
revoke execute on procedure board.shut(), board.lock_doors(), board.views(), board.rows() from public;

call board.shut();
do $$
declare
    r record;
begin
    if not exists (select from board.loose) then     -- limits and rights of those there are
        for r in select unit_id from board.role loop
            perform board.enrol(r.unit_id);
        end loop;
    end if;
end
$$;
