"""`gateway init`: a commented configuration that works as it is, or a copy of a shipped policy to edit."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.commands.shipped import copy_policy
from gateway.core.errors import ConfigurationError

CONFIGURATION = """\
# slm-gateway configuration. Everything below is optional; what is commented out shows the default or an example.
# Relative paths start at this file's folder. Every setting also works as an environment variable, which wins:
# GATEWAY_SERVER__PORT=9000. Start with: gateway serve --config {file}

server:
  host: 127.0.0.1
  port: 8080
  # body_limit_mb: 20
  # tls: {{cert: server.pem, key: server.key}}
  # cors_origins: ["https://chat.example.com"]     # web pages that may call; pages on this machine always may

# Who may call. `none` serves this machine alone; for others make keys: gateway keys new my-app
auth: {{mode: none}}
# auth:
#   mode: keys
#   keys:
#     - {{name: my-app, tenant: research, hash: "sha256:..."}}

# What may leave. Shipped: default.yaml (hard and nothing found), masked.yaml (values replaced on the way out),
# earned.yaml (only public), strict.yaml (nothing).
# Copy one (gateway init --policy default my-policy.yaml), edit it while the gateway runs, and test it
# (gateway check my-policy.yaml).
policy: {{path: policies/default.yaml}}

# The model on this machine. The default is a tiny demo model that knows simple English only. Name your own GGUF:
local: {{model: smollm2-135m-instruct, context: 4096, threads: auto, isolation: process}}
# local: {{model: models/Qwen3-4B-Instruct-Q4_K_M.gguf, context: 8192, languages: [en, it, es, de, fr],
#         adapters: [{{name: legal, path: models/legal-lora.gguf}}]}}     # for whoever asks for model local:legal

# The models outside. Without this section: OpenAI's gpt-4.1 if OPENAI_API_KEY is set, a labelled stand-in if not.
# backends:
#   - {{name: large, zone: remote, wire: openai, base_url: "https://api.openai.com/v1", model: gpt-4.1,
#      api_key_env: OPENAI_API_KEY, region: us}}
#   - {{name: claude, zone: remote, wire: litellm, model: anthropic/claude-sonnet-4-5, api_key_env: ANTHROPIC_API_KEY}}
#   - {{name: gemini, zone: remote, wire: litellm, model: gemini/gemini-2.5-pro, api_key_env: GEMINI_API_KEY}}
#   - {{name: bedrock, zone: remote, wire: litellm, model: bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0,
#      options: {{aws_region_name: eu-central-1}}}}
#   - {{name: house, zone: private, wire: openai, base_url: "http://10.0.0.7:8000/v1", plaintext: accepted,
#      model: qwen3-32b}}

# Names that apps already use: an app that says gpt-4.1 works unchanged.
aliases: {{gpt-4.1: auto, gpt-4o: auto}}

# cache: {{url: "redis://127.0.0.1:6379/0", ttl_s: 3600}}
cache: {{url: "memory://", ttl_s: 3600}}

# The evidence. Its keys lie in var/keys, beside it and never inside it.
audit: {{dir: var/audit}}

# log: {{level: info, format: json}}
"""


def run(args: argparse.Namespace) -> int:
    if args.policy:
        policy, cases = copy_policy(args.policy, args.file or Path("my-policy.yaml"), force=args.force)
        print(
            f"wrote {policy} and {cases}; test it with: gateway check {policy}\n"
            f"use it with   policy: {{path: {policy}}}   in the configuration"
        )
        return 0
    file = args.file or Path("gateway.yaml")
    try:
        with file.open("w" if args.force else "x", encoding="utf-8") as opened:
            opened.write(CONFIGURATION.format(file=file))
    except FileExistsError:
        raise ConfigurationError(f"{str(file)!r} exists; --force overwrites it") from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {str(file)!r}: {error.strerror}") from None
    print(f"wrote {file}; start with: gateway serve --config {file}")
    return 0
