-- Age of the oldest reading that was fetched and is not yet stored. [s]
select coalesce(max(fence_age_s), 0) as value from partition_samples where at > now() - interval '2 minutes'
