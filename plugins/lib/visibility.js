'use strict';

/** Seconds that a received message stays hidden: six times the function's timeout, as the Lambda guide asks for SQS queues. */
module.exports = async ({ resolveVariable }) => 6 * (await resolveVariable('param:timeout_s'));
