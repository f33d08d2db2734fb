"""Composition root of the tool executor: the only place where it is wired."""

from __future__ import annotations

from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.clock import Clock
from shared.server import Dependencies, Registration, Service
from tool_executor.adapters.call_memory_in_process import InProcessCallMemory
from tool_executor.adapters.code_runner_grpc import GrpcCodeRunner
from tool_executor.adapters.context_source_grpc import GrpcContextSource
from tool_executor.adapters.solver_process import ProcessSolver
from tool_executor.adapters.tool_bounded import BoundedTool
from tool_executor.adapters.tool_calculator import CalculatorTool
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_current_time import CurrentTimeTool
from tool_executor.adapters.tool_execute_code import ExecuteCodeTool
from tool_executor.adapters.tool_guarded import GuardedTool
from tool_executor.adapters.tool_metered import MeteredTool
from tool_executor.adapters.tool_policy_grpc import GrpcToolPolicy
from tool_executor.adapters.tool_registry_memory import MemoryToolRegistry
from tool_executor.adapters.tool_user_context import UserContextTool
from tool_executor.ports.tool import Tool
from tool_executor.servicer.tool_servicer import ToolServicer
from tool_executor.settings import Settings
from tool_executor.use_cases.execute_tool import ExecuteTool
from tool_executor.use_cases.get_tool import GetTool
from tool_executor.use_cases.list_tools import ListTools


def protected(tool: Tool, clock: Clock) -> Tool:
    """Return `tool` with what each tool has around it, from the inside out: guard, limit, schemas, metrics."""
    return MeteredTool(CheckedTool(BoundedTool(GuardedTool(tool))), clock)


def build(settings: Settings, deps: Dependencies) -> Service:
    """Wire the service.

    Raises:
        PreconditionFailed: when a tool's definition or schema is wrong.
    """
    solver = ProcessSolver(
        workers=settings.calculator_workers,
        cpu_s=settings.calculator_cpu_s,
        memory_bytes=settings.calculator_memory_bytes,
        warm_up_delay_s=settings.calculator_warm_up_delay_s,
    )
    runner = GrpcCodeRunner(deps.channel(settings.sandbox_address), output_limit_bytes=settings.code_output_bytes)
    tools: list[Tool] = [
        CalculatorTool(solver),
        CurrentTimeTool(deps.clock),
        ExecuteCodeTool(runner, wall_time_s=settings.code_wall_time_s),
        UserContextTool(GrpcContextSource(deps.channel(settings.dashboard_address)), deps.clock),
    ]
    registry = MemoryToolRegistry(protected(tool, deps.clock) for tool in tools)
    policy = GrpcToolPolicy(
        deps.channel(settings.settings_address), deps.clock, max_organisations=settings.policy_organisations
    )
    memory = InProcessCallMemory(
        deps.clock,
        ttl_s=settings.call_memory_ttl_s,
        max_entries=settings.call_memory_entries,
        max_chars=settings.call_memory_chars,
    )
    servicer = ToolServicer(
        ListTools(registry, policy),
        GetTool(registry, policy),
        ExecuteTool(registry, policy, memory, deps.clock, output_limit_bytes=settings.output_limit_bytes),
    )

    async def stop() -> None:
        await memory.stop()
        await policy.stop()
        await solver.stop()

    return Service(
        name="tools",
        registrations=[
            Registration(
                tools_pb2_grpc.add_ToolServiceServicer_to_server,
                servicer,
                tools_pb2.DESCRIPTOR.services_by_name["ToolService"],
            )
        ],
        stop=stop,
        background=[solver.keep_warm],
    )
