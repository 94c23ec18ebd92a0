/** The least that a Worker can do between a client and a backend: it hands both bodies on. */
export default {
  fetch(request, env) {
    const headers = { "content-type": "application/json" };
    const { body } = request;
    return fetch(`${env.BACKEND_URL}/chat/completions`, { method: "POST", headers, body });
  },
};
