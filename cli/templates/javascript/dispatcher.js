// Routes by the first label of the host name, and says what each customer may use.

export default {
  async fetch(request, env) {
    const customer = new URL(request.url).hostname.split(".")[0];
    const script = env.DISPATCHER.get(customer, {}, {
      limits: { cpuMs: 20, subRequests: 10 },
      outbound: { customer },
    });
    try {
      return await script.fetch(request);
    } catch (error) {
      if (error.message.startsWith("Worker not found")) {
        return new Response(`no such customer: ${customer}\n`, { status: 404 });
      }
      return new Response(`${customer} failed: ${error.message}\n`, { status: 500 });
    }
  },
};
