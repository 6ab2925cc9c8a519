<?xml version="1.0" encoding="UTF-8"?>
<documento codigoDocumento="4010" cnpj="{{ midaz_onboarding.organization.0.legal_document|slice_str:":8" }}" dataBase="{% date_time "YYYY-MM" %}" tipoRemessa="I">
  <contas>
{%- for route in midaz_transaction.operation_route %}
    <conta codigoConta="{{ route.code|replace:".:"|replace:"-:" }}" titulo="{{ route.title }}" contas="{% count_by midaz_transaction.balance if route_id == route.id %}" saldoDia="{% sum_by midaz_transaction.balance by "available" if route_id == route.id scale 2 %}"/>
{%- endfor %}
  </contas>
  <total contas="{{ midaz_transaction.balance|length }}" saldo="{% sum_by midaz_transaction.balance by "available" scale 2 %}"/>
</documento>
