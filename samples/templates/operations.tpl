id;account;date;direction;amount;channel;description
{% for op in midaz_transaction.operation %}{{ op.id }};{{ op.account_alias }};{{ op.created_at|date:"2006-01-02" }};{{ op.direction }};{{ op.amount }};{{ op.metadata.channel }};{{ op.description }}
{% endfor -%}
