"""TLS in front of a port that has none, as a proxy of an operator is: `tls_front.py CERTIFICATE KEY HOST:PORT` says at which port it
listens, and passes what comes on as it is, `Host` included. Clients send bodies in another form where they see TLS."""

import asyncio
import ssl
import sys

certificate, key, address = sys.argv[1:]
host, port = address.split(":")


async def pass_on(reader, writer):
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def answer(reader, writer):
    behind_reader, behind_writer = await asyncio.open_connection(host, int(port))
    await asyncio.gather(pass_on(reader, behind_writer), pass_on(behind_reader, writer))


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
