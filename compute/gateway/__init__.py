"""The gateway: an edge of its own process. Consumers call it as they call OpenAI; miners call it with a tunnel.

app          one ASGI application: which door a connection goes through
callers      who calls: API keys, looked up once and remembered for seconds
catalogue    the models on offer, read anew every few seconds
tunnels      the miners' connections, and the calls under way on each
attempts     finding a miner who answers
answering    one request to its last byte, and the account of it
admission    a miner's way in and out
replays      answers kept for a while, for who asks again under the same key
wire         ASGI messages
"""
