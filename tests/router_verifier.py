"""A second opinion on decisions: recomputes a stored record from its stored world.

Written from docs/scoring.md and docs/rules.md; it shares no code with the engine and knows none of the domain's types.
It reads JSON, is plain and slow, and returns what it does not agree with.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cache
from hashlib import sha256
from math import isqrt
from typing import Any

import cedarpy

MILLION = 1_000_000
Json = dict[str, Any]


def problems_of(record: bytes, registry: bytes, rules: bytes, state: bytes) -> list[str]:
    """The parts of a stored decision that do not follow from its stored world; empty when all do."""
    decision = json.loads(record)
    digests = {"registry_digest": registry, "rules_digest": rules, "state_digest": state}
    found = [name for name, document in digests.items() if sha256(document).hexdigest() != decision[name]]
    if found:
        return found
    expected = _Case(decision["request"], json.loads(registry), json.loads(rules), json.loads(state), decision).decide()
    return [name for name, value in expected.items() if decision[name] != value]


class _Case:
    def __init__(self, request: Json, registry: Json, rules: Json, state: Json, decision: Json) -> None:
        self.ask = request
        self.formula = decision["version"]
        self.rules = rules
        self.states = state["services"]
        org = request["caller"]["org_id"]
        self.contracts = [each for each in registry["contracts"] if each["org_id"] in ("", org)]
        self.now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=decision["time_us"])
        self.tier = rules["tiers"][request["tier"] or rules["default_tier"]]
        self.requirements = [each for each in rules["requirements"] if self.applies(each["when"])]
        self.requirements.sort(key=lambda rule: (-rule["priority"], rule["id"]))
        self.preferences = [each for each in rules["preferences"] if self.applies(each["when"])]

    def decide(self) -> Json:
        rejections, candidates = [], []
        for contract in sorted(self.contracts, key=lambda each: each["name"]):
            removed = self.removed(contract)
            if removed is None:
                candidates.append(contract)
            else:
                rejections.append([contract["name"], *removed])
        rows = sorted((self.ranked(each) for each in candidates), key=lambda row: (-row[1], row[0]))
        control = self.control([row[0] for row in rows])
        return {
            "tier": self.tier["name"],
            "rejections": rejections,
            "ranked": rows,
            "choice": rows[0][0] if rows else "",
            "promise": self.promise(control),
            "control": control,
        }

    # --- steps 2 to 5 ---------------------------------------------------------------------------------------------

    def removed(self, contract: Json) -> tuple[str, str, str] | None:
        steps = {
            "match": (self.misnamed, self.mismatch, self.too_large, self.wrong_time, self.too_dear),
            "rules": (self.ruled_out,),
            "security": (self.insecure,),
            "traits": (self.unsuited,),
        }
        for step, checks in steps.items():
            for check in checks:
                found = check(contract)
                if found is not None:
                    return step, *found
        return None

    def misnamed(self, contract: Json) -> tuple[str, str] | None:
        if self.ask["model"] not in ("", contract["name"]):
            return "NOT_THE_MODEL_ASKED_FOR", ""
        if self.ask["provider"] not in ("", contract["name"].split("/")[0]):
            return "NOT_THE_PROVIDER_ASKED_FOR", ""
        return None

    def mismatch(self, contract: Json) -> tuple[str, str] | None:
        ask, can = self.ask, contract["capabilities"]
        if ask["operation"] not in can["operations"]:
            return "OPERATION", "does " + (", ".join(sorted(can["operations"])) or "nothing")
        for key, word in (("input_modalities", "takes"), ("output_modalities", "gives")):
            if any(each not in can[key] for each in ask[key]):
                listed = ", ".join(sorted(can[key])) or "nothing"
                return "MODALITY_IN" if word == "takes" else "MODALITY_OUT", f"{word} {listed}"
        if ask["needs_tools"] and not can["tool_calling"]:
            return "TOOL_CALLING", "calls no tools"
        if ask["needs_json_schema"] and not can["json_schema"]:
            return "JSON_SCHEMA", "cannot be bound to a JSON Schema"
        if ask["language"] and ask["language"] not in can["languages"] and "*" not in can["languages"]:
            return "LANGUAGE", "speaks " + ", ".join(sorted(can["languages"]))
        unwanted = [each for each in ask.get("parameters", ()) if contract["traits"].get(each) is False]
        return ("PARAMETER", "takes no " + ", ".join(sorted(unwanted))) if unwanted else None

    def too_large(self, contract: Json) -> tuple[str, str] | None:
        context = contract["capabilities"]["context_length"]
        if context > 0 and self.ask["input_tokens"] >= context:
            return "CONTEXT_LENGTH", f"its context has {context} tokens"
        most = contract["constraints"]["max_payload_bytes"]
        if most > 0 and self.ask["payload_bytes"] > most:
            return "PAYLOAD_SIZE", f"takes {most} bytes"
        return None

    def wrong_time(self, contract: Json) -> tuple[str, str] | None:
        windows = contract["constraints"]["windows"]
        minute = self.now.hour * 60 + self.now.minute
        inside = [
            self.now.weekday() in each["weekdays"] and each["start_minute"] <= minute < each["end_minute"]
            for each in windows
        ]
        if windows and not any(inside):
            return "TIME_WINDOW", "not used at this time"
        first = self.first_token(contract)
        sources = (contract["guarantees"], self.state(contract)["measured"])
        known = any(each["first_token_p50_ms"] for each in sources)
        if self.ask["deadline_ms"] is not None and known and first > self.ask["deadline_ms"]:
            return "DEADLINE", f"is expected to begin after {first} ms"
        return None

    def too_dear(self, contract: Json) -> tuple[str, str] | None:
        limit, left = self.ask["max_cost_micro_usd"], self.ask["budget_left_micro_usd"]
        unknown = self.price_is_unknown(contract)
        if unknown and self.formula >= 2:
            applying = [name for name, value in (("cost limit", limit), ("budget", left)) if value is not None]
            return ("PRICE_UNKNOWN", f"its contract has no price, and a {applying[0]} applies") if applying else None
        if limit is not None and unknown:
            return "COST_LIMIT", "its price is not known"
        if limit is not None and self.expected_cost(contract) > limit:
            return "COST_LIMIT", "is expected to cost more"
        if left is not None and unknown and left <= 0:
            return "BUDGET_LEFT", "its price is not known"
        longest = self.longest_answer(contract)
        reserved = self.most_cost(contract, 4_096 if longest is None else longest)
        if left is not None and not unknown and reserved > left:
            return "BUDGET_LEFT", "may cost more"
        return None

    def ruled_out(self, contract: Json) -> tuple[str, str] | None:
        if self.ask["chain"] and contract["name"] not in self.ask["chain"]:
            return "NOT_IN_CHAIN", ""
        refused = self.refused(contract)
        if refused is not None:
            return refused
        for rule in self.requirements:
            if not _selects(rule["services"], contract):
                return "REQUIRED_BY_RULE", rule["id"]
        return None

    def insecure(self, contract: Json) -> tuple[str, str] | None:
        privacy = contract["privacy"]
        state = self.state(contract)
        if not state["configured"]:
            if state.get("keys_refused"):
                return "KEY_REFUSED", "its provider refused its key"
            return "NOT_CONFIGURED", "the key that its provider asks for is not there"
        if privacy["clearance"] < self.ask["data_class"]:
            levels = ("public", "internal", "confidential", "restricted")
            return "CLEARANCE", f"cleared for {levels[privacy['clearance']]}"
        if self.ask["residency"]:
            where = ", ".join(sorted(privacy["regions"])) or "a place that its contract does not name"
            if not privacy["regions"] or not set(privacy["regions"]) <= set(self.ask["residency"]):
                return "RESIDENCY", f"processes data in {where}"
        return None

    def unsuited(self, contract: Json) -> tuple[str, str] | None:
        for trait, comparison, values in self.ask["traits"]:
            value = contract["traits"].get(trait)
            if value is None:
                return "TRAIT", f"{trait} is not set"
            if not _satisfies(value, comparison, values):
                return "TRAIT", f"{trait} is {_shown(value)}"
        return None

    # --- rules ----------------------------------------------------------------------------------------------------

    def applies(self, when: Json) -> bool:
        ask, estimate = self.ask, self.ask["estimate"]
        among = (
            (when["tiers"], [self.tier["name"]]),
            (when["task_classes"], [estimate["task_class"]]),
            (when["data_classes"], [ask["data_class"]]),
            (when["roles"], ask["caller"]["roles"]),
        )
        if any(wanted and not set(wanted) & set(given) for wanted, given in among):
            return False
        if not when["min_complexity_ppm"] <= estimate["complexity_ppm"] <= when["max_complexity_ppm"]:
            return False
        return when["needs_tools"] in (None, ask["needs_tools"])

    def refused(self, contract: Json) -> tuple[str, str] | None:
        """What the policies say: each is put to Cedar alone, and the layers are put together as docs/rules.md says."""
        layers = {
            "platform": _policies(self.rules["platform_policies"]),
            "organisation": _policies(self.rules["org_policies"]),
        }
        applying, closed = {}, []
        for layer, policies in layers.items():
            for each in policies:
                holds = self.policy_applies(each["form"], contract)
                if holds is None:
                    return "FORBIDDEN_BY_RULE", "a policy could not be evaluated"
                if holds:
                    applying[layer, each["id"]] = each
            plain = [each for each in policies if each["effect"] == "permit" and not each["overrides"]]
            permits = [each for key, each in applying.items() if key[0] == layer and each in plain]
            if plain and not permits:
                closed.append(f"no permit of the {layer} applies")
        lifted = {each["overrides"] for each in applying.values() if each["overrides"]}
        forbidding = [
            f"{layer}: {each['id']}"
            for (layer, _), each in applying.items()
            if each["effect"] == "forbid" and not (layer == "platform" and each["overridable"] and each["id"] in lifted)
        ]
        if forbidding:
            return "FORBIDDEN_BY_RULE", ", ".join(sorted(forbidding))
        return ("NOT_PERMITTED_BY_RULE", ", ".join(sorted(closed))) if closed else None

    def policy_applies(self, form: str, contract: Json) -> bool | None:
        """Whether one policy applies, made a permit for the question; None when it cannot be evaluated."""
        caller, estimate = self.ask["caller"], self.ask["estimate"]
        above = [{"type": "Group", "id": role} for role in caller["roles"]]
        above.append({"type": "Organisation", "id": caller["org_id"]})
        user = {"uid": {"type": "User", "id": caller["user_id"]}, "attrs": {}, "parents": above}
        entities = [user, *({"uid": each, "attrs": {}, "parents": []} for each in above), *self.cedar_service(contract)]
        levels = ("public", "internal", "confidential", "restricted")
        context = {
            "operation": self.ask["operation"],
            "tier": self.tier["name"],
            "data_class": levels[self.ask["data_class"]],
            "data_level": self.ask["data_class"],
            "task_class": estimate["task_class"],
            "complexity": estimate["complexity_ppm"] // 100_000,
            "needs_tools": self.ask["needs_tools"],
        }
        asked = {"principal": user["uid"], "action": {"type": "Action", "id": "route"}, "context": context}
        asked["resource"] = {"type": "Service", "id": contract["name"]}
        answer = cedarpy.is_authorized(asked, form, entities)
        return None if answer.diagnostics.errors else answer.allowed

    def cedar_service(self, contract: Json) -> list[Json]:
        can, privacy, price = contract["capabilities"], contract["privacy"], self.price(contract)
        provider, _, model = contract["name"].partition("/")
        levels = ("public", "internal", "confidential", "restricted")
        attributes = {
            **{key: contract[key] for key in ("name", "owner", "tags", "demonstration")},
            **{key: can[key] for key in ("operations", "tool_calling", "json_schema")},
            **{key: can[key] for key in ("context_length", "max_output_tokens")},
            **{key: privacy[key] for key in ("regions", "on_premises", "encrypted")},
            "trains_on_data": privacy["trains_on_data"] is not False,
            "certifications": privacy["certifications"],
            "model": model,
            "provider": provider,
            "input": can["input_modalities"],
            "output": can["output_modalities"],
            "clearance": levels[privacy["clearance"]],
            "clearance_level": privacy["clearance"],
            "quality_ppm": contract["quality"]["default"],
        }
        if privacy["retention_days"] is not None:
            attributes["retention_days"] = privacy["retention_days"]
        if price is not None:
            attributes["input_micro_usd"] = price["rates"]["input"]
            attributes["output_micro_usd"] = price["rates"]["output"]
        above = {"type": "Provider", "id": provider}
        service = {"uid": {"type": "Service", "id": contract["name"]}, "attrs": attributes, "parents": [above]}
        service["tags"] = {name: _shown(value) for name, value in contract["traits"].items()}
        return [service, {"uid": above, "attrs": {}, "parents": []}]

    # --- step 6 ---------------------------------------------------------------------------------------------------

    def ranked(self, contract: Json) -> list[Any]:
        ask, weights, name = self.ask, self.tier["weights"], contract["name"]
        prior, strength, exploration = self.quality(contract)
        cost, out = self.expected_cost(contract), self.is_out(contract)
        counted = self.tier["cost_reference_micro_usd"] if self.price_is_unknown(contract) else cost
        first = self.first_token(contract)
        time = first + 1000 * ask["output_tokens"] // self.speed(contract)
        latency = time * MILLION // (time + self.tier["latency_reference_ms"])
        if ask["deadline_ms"] is not None and time > ask["deadline_ms"]:
            latency = MILLION
        preference = sum(each["strength_ppm"] for each in self.preferences if _selects(each["services"], contract))
        place = ask["chain"].index(name) if name in ask["chain"] else 64
        terms = [
            weights["quality"] * prior - (10**11 if strength < self.tier["min_quality_ppm"] else 0),
            weights["reward"] * (strength + exploration),
            weights["fit"] * self.fit(contract, strength),
            weights["affinity"] * (MILLION if ask["affinity"] == name else 0),
            weights["preference"] * max(-MILLION, min(MILLION, preference)),
            max(0, 64 - place) * 10**12,
            -weights["cost"] * (counted * MILLION // (counted + self.tier["cost_reference_micro_usd"])),
            -weights["latency"] * latency,
            -weights["risk"] * (MILLION if out else self.risk(contract)) - (10**15 if out else 0),
        ]
        told = None if self.formula >= 2 and self.price_is_unknown(contract) else cost
        return [name, sum(terms), terms, told, first, time]

    def quality(self, contract: Json) -> tuple[int, int, int]:
        task, tenths = self.ask["estimate"]["task_class"], self.ask["estimate"]["confidence_ppm"] // 100_000
        default = contract["quality"]["default"]
        prior = default + (contract["quality"]["by_task"].get(task, default) - default) * tenths // 10
        count, total = self.state(contract)["rewards"].get(task, (0, 0))
        return prior, (20 * prior + total) // (20 + count), isqrt(50_000**2 * 20 // (20 + count))

    def fit(self, contract: Json, strength: int) -> int:
        need, expected = self.ask["estimate"]["complexity_ppm"], self.ask["output_tokens"]
        fit = max(0, MILLION - 3 * max(0, need - strength))
        can, room = contract["capabilities"], expected
        if can["max_output_tokens"]:
            room = min(room, can["max_output_tokens"])
        if can["context_length"]:
            room = min(room, max(0, can["context_length"] - self.ask["input_tokens"]))
        return fit * room // expected if room < expected else fit

    def risk(self, contract: Json) -> int:
        state, promised = self.state(contract), contract["guarantees"]["availability_ppm"]
        prior, worth = (promised, 20) if promised else (990_000, 2)
        calls = state["measured"]["calls"]
        success = (prior * worth + state["measured"]["success_ppm"] * calls) // (worth + calls)
        trial = 250_000 if state["breaker"] == "half_open" else 0
        broken = 100_000 * len(state["broken_promises"])
        return min(MILLION, 4 * (MILLION - success) + broken + trial + state["load_ppm"] // 4)

    # --- steps 7 and 8 --------------------------------------------------------------------------------------------

    def control(self, names: list[str]) -> Json:
        tier, by_name = self.tier, {each["name"]: each for each in self.contracts}
        names = names[: len(self.ask["chain"]) or tier["max_links"]]
        if not names:
            return {"backoff_base_ms": 0, "backoff_cap_ms": 0, "chain": [], "hedge_after_ms": 0} | dict.fromkeys(
                ("idle_timeout_ms", "max_attempts", "total_timeout_ms"), 0
            )
        total = self.total_ms()
        chain = []
        for name in names:
            patience = max(total // len(names), 2 * self.late_first_token(by_name[name]))
            timeout = max(1, min(tier["first_token_timeout_ms"], total, patience))
            chain.append([name, 1 if self.is_out(by_name[name]) else tier["tries"], timeout])
        hedge = self.late_first_token(by_name[names[0]])
        hedges = tier["hedge"] and len(chain) > 1 and hedge < chain[0][2]
        return {
            "backoff_base_ms": 200,
            "backoff_cap_ms": min(5_000, max(1, total // 4)),
            "chain": chain,
            "hedge_after_ms": max(1, hedge) if hedges else 0,
            "idle_timeout_ms": min(tier["idle_timeout_ms"], total),
            "max_attempts": sum(link[1] for link in chain),
            "total_timeout_ms": total,
        }

    def total_ms(self) -> int:
        deadline, total = self.ask["deadline_ms"], self.tier["total_timeout_ms"]
        if deadline is None or deadline >= total:
            return total
        unit = 1
        while deadline // unit >= 32:
            unit *= 2
        return max(1, deadline // unit * unit)

    def promise(self, control: Json) -> Json:
        by_name = {each["name"]: each for each in self.contracts}
        links = [(by_name[name], tries, timeout) for name, tries, timeout in control["chain"]]
        privacy = [contract["privacy"] for contract, _, _ in links]
        fail, seen = Fraction(1), set()
        for contract, _, _ in links:
            chance = Fraction(contract["guarantees"]["availability_ppm"], MILLION)
            provider = contract["name"].split("/")[0]
            fail = min(fail, 1 - chance) if provider in seen else fail * (1 - chance)
            seen.add(provider)
        longest = [self.longest_answer(contract) for contract, _, _ in links]
        costs: list[int | None] = [
            None
            if self.price_is_unknown(contract) or (self.price(contract) and tokens is None)
            else tries * self.most_cost(contract, tokens or 0)
            for (contract, tries, _), tokens in zip(links, longest, strict=True)
        ]
        regions = sorted({region for each in privacy for region in each["regions"]})
        days = [each["retention_days"] for each in privacy]
        return {
            "availability_ppm": int((1 - fail) * MILLION) or None,
            "clearance": min((each["clearance"] for each in privacy), default=0),
            "deterministic": len(links) == 1 and links[0][0]["guarantees"]["deterministic"],
            "first_token_p95_ms": self.promised_first_token(links, control),
            "max_cost_micro_usd": sum(costs) if links and None not in costs else None,
            "may_train": any(each["trains_on_data"] is not False for each in privacy) or not links,
            "on_premises": bool(links) and all(each["on_premises"] for each in privacy),
            "regions": regions if links and all(each["regions"] for each in privacy) else None,
            "retention_days": max(days) if links and None not in days else None,
        }

    def promised_first_token(self, links: list[tuple[Json, int, int]], control: Json) -> int | None:
        """Walks the worst case: every try before the one that answers runs into its time limit."""
        passed, worst = 0, 0
        for contract, tries, timeout in links:
            promised = contract["guarantees"]["first_token_p95_ms"]
            if not promised:
                return None
            for number in range(tries):
                passed += control["backoff_cap_ms"] if number else 0
                worst = max(worst, passed + promised)
                passed += timeout
        return min(worst, control["total_timeout_ms"]) if links else None

    # --- what is expected -----------------------------------------------------------------------------------------

    def state(self, contract: Json) -> Json:
        measured = {"calls": 0, "success_ppm": MILLION} | dict.fromkeys(
            ("first_token_p50_ms", "first_token_p95_ms", "tokens_per_second"), 0
        )
        fresh = {"configured": True, "breaker": "closed", "cooling": False, "load_ppm": 0, "measured": measured}
        return self.states.get(contract["name"]) or {**fresh, "broken_promises": [], "rewards": {}}

    def is_out(self, contract: Json) -> bool:
        state = self.state(contract)
        return state["breaker"] == "open" or state["cooling"] or state["load_ppm"] >= MILLION

    def expected(self, contract: Json, name: str, assumed: int) -> int:
        promised, measured = contract["guarantees"][name], self.state(contract)["measured"]
        prior, worth = (promised, 20) if promised else (assumed, 2)
        if not measured[name]:
            return prior
        return (prior * worth + measured[name] * measured["calls"]) // (worth + measured["calls"])

    def first_token(self, contract: Json) -> int:
        return self.expected(contract, "first_token_p50_ms", 2_000)

    def late_first_token(self, contract: Json) -> int:
        first = self.first_token(contract)
        return max(first, self.expected(contract, "first_token_p95_ms", 3 * first))

    def speed(self, contract: Json) -> int:
        return max(1, self.expected(contract, "tokens_per_second", 30))

    # --- money ----------------------------------------------------------------------------------------------------

    def price(self, contract: Json) -> Json | None:
        valid = [each for each in contract["prices"] if date.fromisoformat(each["effective_date"]) <= self.now.date()]
        return valid[-1] if valid else None

    def price_is_unknown(self, contract: Json) -> bool:
        return self.price(contract) is None and not contract["privacy"]["on_premises"]

    def expected_cost(self, contract: Json) -> int:
        price, tokens_in = self.price(contract), self.ask["input_tokens"]
        if price is None:
            return 0
        is_long = price["long_context_rates"] is not None and tokens_in > price["long_context_tokens"]
        rates = price["long_context_rates"] if is_long else price["rates"]
        total = tokens_in * rates["input"] + self.ask["output_tokens"] * rates["output"]
        return (total + 500_000) // MILLION + price["per_request"]

    def longest_answer(self, contract: Json) -> int | None:
        can = contract["capabilities"]
        bounds = [each for each in (self.ask["max_output_tokens"], can["max_output_tokens"]) if each > 0]
        if can["context_length"] > 0:
            bounds.append(max(0, can["context_length"] - self.ask["input_tokens"]))
        return min(bounds) if bounds else None

    def most_cost(self, contract: Json, tokens_out: int) -> int:
        price, tokens_in = self.price(contract), self.ask["input_tokens"]
        if price is None:
            return 0
        tables = [price["rates"]]
        if price["long_context_rates"] is not None and tokens_in > price["long_context_tokens"]:
            tables.append(price["long_context_rates"])
        totals = []
        for rates in tables:
            inputs = [rates["input"], rates["cached_input"], rates["cache_write"]]
            totals.append(tokens_in * max(each for each in inputs if each is not None) + tokens_out * rates["output"])
        return (max(totals) + 500_000) // MILLION + price["per_request"]


def _selects(services: Json, contract: Json) -> bool:
    if services["names"] and not any(fnmatchcase(contract["name"], pattern) for pattern in services["names"]):
        return False
    if services["tags"] and not set(services["tags"]) & set(contract["tags"]):
        return False
    for name, value in services["traits"].items():
        has = contract["traits"].get(name)
        if type(has) is not type(value) or has != value:
            return False
    if services["on_premises"] not in (None, contract["privacy"]["on_premises"]):
        return False
    return services["demonstration"] in (None, contract["demonstration"])


def _satisfies(value: object, comparison: str, values: list[Any]) -> bool:
    if comparison == "in":
        return any(type(each) is type(value) and each == value for each in values)
    if len(values) != 1 or type(values[0]) is not type(value):
        return False
    if comparison in ("eq", "ne"):
        return (value == values[0]) is (comparison == "eq")
    if type(value) is not int:
        return False
    wanted = values[0]
    return {"lt": value < wanted, "le": value <= wanted, "gt": value > wanted, "ge": value >= wanted}[comparison]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _policies(text: str) -> list[Json]:
    """Each policy of a text: its annotations, its effect, and itself as the text of a permit."""
    found = []
    for form in json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values():
        notes = form.pop("annotations", {})
        effect, form["effect"] = form["effect"], "permit"
        alone = json.dumps({"templates": {}, "staticPolicies": {"p": form}, "templateLinks": []})
        found.append(
            {
                "id": notes["id"],
                "effect": effect,
                "overridable": notes.get("overridable") == "true",
                "overrides": notes.get("overrides", ""),
                "form": cedarpy.policies_from_json_str(alone),
            }
        )
    return found
