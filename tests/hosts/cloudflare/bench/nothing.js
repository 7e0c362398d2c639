// The Worker that does nothing: what the platform itself costs a request.
const answer = '{"answer":"mock-ok"}';

export default {
  fetch() {
    return new Response(answer, { headers: { "content-type": "application/json" } });
  },
};
