"""What tool policies may speak of. A policy that reads anything else is refused when it is loaded.

The action is the tool's side effect; `Action::"effect"` stands for all but `Action::"read"`. Of arguments, policies see
the names of the outermost ones and the size, never a value. Cedar's language: https://docs.cedarpolicy.com.
"""

_CALL = """{
  principal: [User],
  resource: [Tool],
  context: {
    agent: String,
    channel: String,
    dry_run: Bool,
    argument_names: Set<String>,
    argument_bytes: Long,
  },
}"""

SCHEMA = f"""
entity Organisation;
entity Role;
entity Source;
entity User in [Role, Organisation];
entity Tool in [Source] = {{
  name: String,
  source: String,
  owner: String,
  side_effect: String,
  cost_micro_usd: Long,
}};
action "effect";
action "read" appliesTo {_CALL};
action "write", "external", "payment" in ["effect"] appliesTo {_CALL};
"""
"""In Cedar's own form."""
