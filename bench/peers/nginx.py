"""nginx as a bare reverse proxy with one worker: what passing bytes on costs when nobody looks at them."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.peers.peer import NotHere, Peer
from bench.process import free_port

_CONFIG = """\
worker_processes 1;
daemon off;
error_log {work}/nginx-error.log error;
pid {work}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {work}/nginx-body;
  proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi;
  uwsgi_temp_path {work}/nginx-uwsgi;
  scgi_temp_path {work}/nginx-scgi;
  keepalive_requests 1000000;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 32; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location = /ready {{ return 200; }}
    location / {{
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      client_body_buffer_size 64k;
    }}
  }}
}}
"""


def peer(work: Path, upstream: int) -> Peer:
    command = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if command is None:
        raise NotHere("nginx is not installed (apt-get install nginx-light)")
    port, config = free_port(), work / "nginx.conf"
    config.write_text(_CONFIG.format(work=work, port=port, upstream=upstream))
    return Peer(
        "nginx", (command, "-c", str(config), "-e", str(work / "nginx-error.log")), port, "/ready", "large", work
    )
