{
  "organization": "{{ midaz_onboarding.organization.0.legal_name }}",
  "accounts": [
{%- for account in midaz_onboarding.account %}
    {"id": "{{ account.id }}", "alias": "{{ account.alias }}", "name": "{{ account.name }}", "branch": "{{ account.metadata.branch }}", "vip": {{ account.metadata.vip }}, "metadata": {{ account.metadata|tojson }}}{% if not forloop.Last %},{% endif %}
{%- endfor %}
  ],
  "balance": {% sum_by midaz_transaction.balance by "available" scale 2 %}
}
