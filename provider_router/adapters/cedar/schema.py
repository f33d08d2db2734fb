"""What Cedar policies may speak of. A policy that reads anything else is refused when it is loaded.

Texts stand beside numbers where policies want to compare: `data_class` is `"restricted"`, `data_level` is 3. Attributes
with `?` are missing where the contract does not say, and `trains_on_data` is true then; Cedar wants
`resource has retention_days &&` before they are read.
Traits are tags, as texts: `resource.hasTag("reasoning") && resource.getTag("reasoning") == "true"`.
Cedar's language: https://docs.cedarpolicy.com.
"""

from __future__ import annotations

from collections.abc import Mapping

SCHEMA = """
entity Organisation;
entity Group;
entity Provider;
entity User in [Group, Organisation];
entity Service in [Provider] = {
  name: String,
  model: String,
  provider: String,
  owner: String,
  tags: Set<String>,
  operations: Set<String>,
  input: Set<String>,
  output: Set<String>,
  tool_calling: Bool,
  json_schema: Bool,
  context_length: Long,
  max_output_tokens: Long,
  clearance: String,
  clearance_level: Long,
  regions: Set<String>,
  retention_days?: Long,
  trains_on_data: Bool,
  on_premises: Bool,
  encrypted: Bool,
  certifications: Set<String>,
  input_micro_usd?: Long,
  output_micro_usd?: Long,
  quality_ppm: Long,
  demonstration: Bool,
  registered: Bool,
} tags String;

action "route" appliesTo {
  principal: [User],
  resource: [Service],
  context: {
    operation: String,
    tier: String,
    data_class: String,
    data_level: Long,
    task_class: String,
    complexity: Long,
    needs_tools: Bool,
  },
};
"""
"""In Cedar's own form. `input_micro_usd` and `output_micro_usd` are per million tokens, on the day of the request."""

CONTEXT_FEATURES: Mapping[str, str] = {
    "operation": "operation",
    "tier": "tier",
    "data_class": "data_class",
    "data_level": "data_class",
    "task_class": "task_class",
    "complexity": "complexity",
    "needs_tools": "needs_tools",
}
"""From an attribute of the context to the feature of the request (`domain.policy.FEATURES`) that it shows."""
