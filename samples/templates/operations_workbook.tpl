{% sheet "Operations" %}
id;account;date;direction;amount;channel;description
{% for op in midaz_transaction.operation %}{{ op.id }};{{ op.account_alias }};{{ op.created_at }};{{ op.direction }};{{ op.amount }};{{ op.metadata.channel }};{{ op.description }}
{% endfor %}
{% sheet "Accounts" %}
alias;name;type;balance
{% for a in midaz_onboarding.account %}{{ a.alias }};{{ a.name }};{{ a.type }};{% sum_by filter(midaz_transaction.balance, "account_id", a.id) by "available" scale 2 %}
{% endfor %}
