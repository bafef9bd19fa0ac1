-- The worker admits what gateways sent by Kafka: it reads which units each may send, and changes nothing of that. Digests
-- of tokens it cannot read (0018).
insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'gateway', 'select'),
    ('meterwarden_worker', 'gateway_unit', 'select')
on conflict (service, relation) do update set rights = excluded.rights;
call board.services();
