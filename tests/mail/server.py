"""A mail server for one test: aiosmtpd, which does as it is told over standard input and tells what it takes.

Each line in is a JSON object of settings that are in force from then on; each line out is one letter as Python's own
parser of mail reads it, or {"port": N} at the start and {"set": true} after each line in.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

options = json.loads(sys.argv[1])
settings = {"refuse": {}, "greylist": 0, "hang": None, "data": None}


def say(what):
    print(json.dumps(what), flush=True)


async def forever():
    await asyncio.Event().wait()


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if settings["hang"] == "mail":
            await forever()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if settings["greylist"] > 0:
            settings["greylist"] -= 1
            return "451 4.7.1 Greylisted, please try again"
        if address in settings["refuse"]:
            return settings["refuse"][address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if settings["hang"] == "data":
            await forever()
        if settings["data"]:
            return settings["data"]
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        say({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "user": getattr(session, "user", None),
            "tls": options["security"] == "tls" or session.ssl is not None, "headers": {name: str(value) for name, value in message.items()},
            "defects": [str(defect) for defect in message.defects],
            "text": parts.get("text/plain"), "html": parts.get("text/html"),
        })
        if settings["hang"] == "answer":
            await forever()
        return "250 2.0.0 Ok: queued as 4F1"


class Server(SMTP):
    async def _handle_client(self):
        if settings["hang"] == "greeting":
            await forever()
        await super()._handle_client()


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == (user, password)
        if right:
            session.user = user
        # Not handled: the answer is still to be given.
        return AuthResult(success=right, handled=False)
    return check


async def main():
    loop = asyncio.get_running_loop()
    context = None
    if options.get("certificate"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options["certificate"], options["key"])
    starttls = context if options["security"] == "starttls" else None
    keywords = {"hostname": "mail.example.com", "enable_SMTPUTF8": True, "loop": loop}
    if options.get("user"):
        keywords.update(authenticator=authenticator(options["user"], options["password"]), auth_required=True,
                        auth_require_tls=options["security"] == "starttls")

    def client():
        return Server(Handler(), tls_context=starttls, require_starttls=starttls is not None, **keywords)

    at_once = context if options["security"] == "tls" else None
    server = await loop.create_server(client, "127.0.0.1", options["port"], ssl=at_once)
    say({"port": server.sockets[0].getsockname()[1]})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        settings.update(json.loads(line))
        say({"set": True})
    server.close()


asyncio.run(main())
