select id as buyer_id, name, town from {{ ref('raw_buyers') }}
