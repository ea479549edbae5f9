// Every request of a customer's script comes through here. This one answers by itself: nothing leaves the machine.

export default {
  async fetch(request, env) {
    console.log(`${env.customer} asks for ${request.url}`);
    return Response.json({ customer: env.customer, asked: request.url });
  },
};
