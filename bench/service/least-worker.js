/** The least that a Worker can do which reads what it hands on: both bodies are parsed and written
 *  anew, with another id, event by event; a client that leaves ends the backend's work. No key, no
 *  check, no count, no retry, no trace. */
const encoder = new TextEncoder();

export default {
  async fetch(request, env) {
    const body = await request.json();
    const gone = new AbortController();
    const reply = await fetch(`${env.BACKEND_URL}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: gone.signal,
    });
    if (!body.stream) return Response.json({ ...(await reply.json()), id: "least" });
    const events = rewritten(reply.body, () => gone.abort());
    return new Response(events, { headers: { "content-type": "text/event-stream" } });
  },
};

function rewritten(body, leave) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      rest += decoder.decode(value, { stream: true });
      const events = rest.split("\n\n");
      rest = events.pop();
      controller.enqueue(encoder.encode(events.map(renamed).join("")));
    },
    cancel: leave,
  });
}

function renamed(event) {
  const data = event.slice("data: ".length);
  if (data === "[DONE]") return `${event}\n\n`;
  return `data: ${JSON.stringify({ ...JSON.parse(data), id: "least" })}\n\n`;
}
