// Loaded before a service's own code where there are no network namespaces: gives the process the network that a container has. The names of
// CONTAINER_HOSTS resolve, "every address" and 127.0.0.1 are the container's own address (CONTAINER_ADDRESS), so that each service can have the
// ports that it is configured with. Nothing else is changed.
import dns from "node:dns";
import net from "node:net";

const hosts = JSON.parse(process.env.CONTAINER_HOSTS ?? "{}");
const own = process.env.CONTAINER_ADDRESS ?? "127.0.0.1";
const ownNames = new Set(["0.0.0.0", "::", "127.0.0.1", "localhost"]);

const systemLookup = dns.lookup;
dns.lookup = function lookup(hostname, options, callback) {
  const address = hosts[hostname];
  if (address === undefined) return systemLookup.call(dns, hostname, options, callback);
  const done = typeof options === "function" ? options : callback;
  const all = typeof options === "object" && options?.all === true;
  process.nextTick(() => (all ? done(null, [{ address, family: 4 }]) : done(null, address, 4)));
  return {};
};
const systemLookupPromise = dns.promises.lookup;
dns.promises.lookup = async function lookup(hostname, options) {
  const address = hosts[hostname];
  if (address === undefined) return systemLookupPromise.call(dns.promises, hostname, options);
  return options?.all === true ? [{ address, family: 4 }] : { address, family: 4 };
};

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function listenInContainer(...args) {
  if (typeof args[0] === "object" && args[0] !== null && ownNames.has(args[0].host)) {
    args[0] = { ...args[0], host: own };
  } else if (typeof args[0] === "number" && ownNames.has(args[1])) {
    args[1] = own;
  }
  return listen.apply(this, args);
};

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function connectInContainer(...args) {
  // net.connect hands over its arguments already normalised: an array of options and callback.
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (typeof options === "object" && options !== null && ownNames.has(options.host ?? "localhost") && !options.path) {
    options.host = own;
  }
  return connect.apply(this, args);
};
