// How the conversation's session is called. Worker and page say the same, so that it does not
// matter to the backend whose request it meets first.

export const SESSION = { sessionName: "honey-shop-chat", source: "www-demo" };
