'use strict';

// Loaded into a child of a test (NODE_OPTIONS): whoever opens a connection fails. Pipes between processes stay.

const net = require('node:net');

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function connectNowhere(...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (options?.path) return connect.apply(this, args);
  throw new Error(`a connection to ${options?.host ?? options}`);
};
