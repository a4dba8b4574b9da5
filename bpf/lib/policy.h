/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Policy: may this connection be? Asked once, when its flow is made or decided again: egress where
 * the source is a pod of this node, ingress where the destination is, after translation. All four
 * maps are written by the agent.
 *
 * Which set a pod has is held twice (identity.h says why). A set of rules in force changes only by
 * entries that concern nobody yet, or nobody any more; else it is written anew under a new id.
 */
#pragma once
#include "drop.h"
#include "event.h"
#include "identity.h"
#include "recent.h"

enum policy_direction { POLICY_EGRESS = 0, POLICY_INGRESS = 1 };

enum policy_verdict {
	POLICY_DENY = 0,      /* also of a rule */
	POLICY_ALLOW = 1,     /* also of a rule */
	POLICY_AUDIT = 2,     /* would be denied, but its namespace is only watched */
	POLICY_OPEN = 3,      /* nothing isolates the pod */
	POLICY_NOT_ASKED = 4, /* no pod of this node, the pod itself, or the node to its own pod */
};

enum policy_ids {
	POLICY_NONE = 0,	    /* not isolated */
	POLICY_CLOSED = 0xffffffff, /* what was wished does not fit: nothing passes */
};

/* In endpoint_policy.flags. Where a set has entries of a kind, its bit is set, so that a lookup
 * that cannot find anything is not made: kind 2 * level + any, where level 0 is the peer's own
 * identity, 1 all pods, 2 everybody, and any is an entry for all protocols.
 */
enum endpoint_policy_flags {
	ENDPOINT_POLICY_AUDIT = 1,
	ENDPOINT_POLICY_PRESENT = 2, /* always; without it this half of the pair is not there */
	ENDPOINT_POLICY_EGRESS_KINDS = 0x3f00,
	ENDPOINT_POLICY_INGRESS_KINDS = 0x3f0000,
};
#define POLICY_EGRESS_SHIFT 8
#define POLICY_INGRESS_SHIFT 16

struct endpoint_policy {
	__u32 ingress_policy;
	__u32 egress_policy;
	__u32 flags; /* enum endpoint_policy_flags */
};

/* By generation. */
struct endpoint_policy_pair {
	struct endpoint_policy of[2];
};
_Static_assert(sizeof(struct endpoint_policy_pair) == 24, "pinned");

struct policy_key {
	__u32 prefix_length; /* POLICY_KEY_BITS, less what a rule leaves open of the port */
	__u32 policy_id;
	__u32 identity;
	__u8 protocol;	/* 0: all, and all ports */
	__u8 direction; /* enum policy_direction */
	__be16 port;
};
_Static_assert(sizeof(struct policy_key) == 16, "pinned");
#define POLICY_KEY_BITS 96

struct policy_rule {
	__u8 verdict; /* POLICY_DENY, POLICY_ALLOW */
	__u8 pad[3];
	__u32 rule_id;
};
_Static_assert(sizeof(struct policy_rule) == 8, "pinned");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct identity_key);
	__type(value, struct endpoint_policy_pair);
} pod_policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct policy_key);
	__type(value, struct policy_rule);
} policy SEC(".maps");

/* Set by the agent while somebody watches: then allowed connections are reported too. */
volatile __u32 policy_reports SEC(".data.epoch") = 0;

/* What one side says of a connection, and by which entry. */
struct policy_answer {
	__u32 policy_id;
	__u32 identity; /* of the peer */
	__u32 rule_id;	/* 0: no rule; an isolated pod denies what no rule allows */
	__u32 entry_identity;
	__u8 entry_protocol;
	__u8 has_entry;
	__u8 group;   /* of the peer, when it is a pod: IDENTITY_PODS4 and the like */
	__u8 verdict; /* enum policy_verdict */
};

/* About a connection as its first packet goes. */
struct policy_question {
	struct connection connection;
	struct policy_answer egress;  /* out: of the source */
	struct policy_answer ingress; /* out: of the destination */
};
_Static_assert(sizeof(struct policy_question) == 76, "policy_explain is asked by its layout");

struct policy_question exported_policy_question SEC(".export") = {};
enum policy_direction exported_policy_direction SEC(".export") = POLICY_EGRESS;
enum policy_verdict exported_policy_verdict SEC(".export") = POLICY_DENY;
enum policy_ids exported_policy_ids SEC(".export") = POLICY_NONE;
enum endpoint_policy_flags exported_policy_flags SEC(".export") = ENDPOINT_POLICY_AUDIT;

/* Too large for a stack; see struct flow_pair. */
struct policy_work {
	struct policy_question question;
	struct policy_key key;
	struct cidr_key cidr;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct policy_work);
} policy_scratch SEC(".maps");

static __always_inline struct policy_work *policy_buffer(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&policy_scratch, &zero);
}

static __always_inline struct endpoint_policy *policy_of(const struct address *address,
							 __u32 generation)
{
	struct endpoint_policy_pair *pair = bpf_map_lookup_elem(&pod_policies, address);

	if (!pair || !(pair->of[generation & 1].flags & ENDPOINT_POLICY_PRESENT))
		return NULL;
	return &pair->of[generation & 1];
}

/* One entry of the set: true when it is there, and then it decides. */
static __always_inline bool policy_match(struct policy_work *work, struct policy_answer *answer,
					 __u32 identity, __u8 protocol)
{
	struct policy_rule *rule;

	work->key.identity = identity;
	work->key.protocol = protocol;
	rule = bpf_map_lookup_elem(&policy, &work->key);
	if (!rule)
		return false;
	answer->rule_id = rule->rule_id;
	answer->verdict = rule->verdict;
	answer->entry_identity = identity;
	answer->entry_protocol = protocol;
	answer->has_entry = 1;
	return true;
}

/* The first entry found decides; the compiler writes them so that this is the right one. */
static __always_inline void policy_search(struct policy_work *work, struct policy_answer *answer,
					  __u32 kinds)
{
	__u8 protocol = work->question.connection.protocol;

	if (!answer->group)
		kinds &= ~(4 | 8);
	if ((kinds & 1 && policy_match(work, answer, answer->identity, protocol)) ||
	    (kinds & 2 && policy_match(work, answer, answer->identity, 0)) ||
	    (kinds & 4 && policy_match(work, answer, answer->group, protocol)) ||
	    (kinds & 8 && policy_match(work, answer, answer->group, 0)) ||
	    (kinds & 16 && policy_match(work, answer, IDENTITY_ANY, protocol)) ||
	    (kinds & 32 && policy_match(work, answer, IDENTITY_ANY, 0)))
		return;
	answer->verdict = POLICY_DENY;
}

/* One side, whose pod has the entry `of`: true when it denies. Not inline, to spare the stack. */
static __noinline bool policy_ask_side(struct policy_work *work, const struct endpoint_policy *of,
				       __u8 direction, __u32 generation)
{
	struct policy_question *question = &work->question;
	const struct connection *connection = &question->connection;
	bool is_egress = direction == POLICY_EGRESS;
	struct policy_answer *answer = is_egress ? &question->egress : &question->ingress;
	const struct address *peer;
	__u32 group = 0;

	answer->verdict = POLICY_OPEN;
	answer->policy_id = is_egress ? of->egress_policy : of->ingress_policy;
	if (answer->policy_id == POLICY_NONE)
		return false;
	peer = is_egress ? &connection->destination : &connection->source;
	answer->identity = identity_find(peer, generation, &work->cidr, &group);
	answer->group = group;
	work->key.prefix_length = POLICY_KEY_BITS;
	work->key.policy_id = answer->policy_id;
	work->key.direction = direction;
	work->key.port = connection->port;
	policy_search(work, answer,
		      of->flags >> (is_egress ? POLICY_EGRESS_SHIFT : POLICY_INGRESS_SHIFT));
	if (answer->verdict == POLICY_DENY && of->flags & ENDPOINT_POLICY_AUDIT)
		answer->verdict = POLICY_AUDIT;
	return answer->verdict == POLICY_DENY;
}

/* Both sides: 0 or -DROP_POLICY_x. The node reaches its own pods, and a pod itself, whatever the
 * rules say.
 */
static __always_inline int policy_ask(struct policy_work *work)
{
	struct policy_question *question = &work->question;
	const struct connection *connection = &question->connection;
	__u32 generation = policy_generation;
	struct endpoint_policy *of;
	int ret = 0;

	question->egress.verdict = POLICY_NOT_ASKED;
	question->ingress.verdict = POLICY_NOT_ASKED;
	if (address_equal(&connection->source, &connection->destination))
		return 0;
	of = policy_of(&connection->source, generation);
	if (of && policy_ask_side(work, of, POLICY_EGRESS, generation))
		ret = -DROP_POLICY_EGRESS;
	if (address_is_own(&connection->source))
		return ret;
	of = policy_of(&connection->destination, generation);
	if (of && policy_ask_side(work, of, POLICY_INGRESS, generation))
		ret = ret ?: -DROP_POLICY_INGRESS;
	return ret;
}

/* A denied packet is reported where it dies (finish.h); what passes, here. */
static __noinline void policy_report(const struct packet *pkt, const struct policy_answer *answer,
				     __u8 direction)
{
	bool is_audit = answer->verdict == POLICY_AUDIT;
	struct event *event;

	if (answer->verdict == POLICY_NOT_ASKED || answer->verdict == POLICY_DENY)
		return;
	if (is_audit)
		metric_count(pkt->direction, METRIC_AUDITED + direction, 0);
	else if (!policy_reports)
		return;
	event = event_begin(&pkt->tuple, DROP_NONE, pkt->direction, pkt->on_ifindex, 0);
	if (!event)
		return;
	event->rule_id = answer->rule_id;
	event->identity = answer->identity;
	event->verdict = answer->verdict;
	event->policy_direction = direction;
	bpf_ringbuf_submit(event, 0);
}

/* May the connection of this entry be? `flow` is decided but not yet in any table, or about to be
 * decided again; a reverse entry asks for the connection that it answers. 0 or -DROP_POLICY_x.
 */
GLOBAL int policy_check(struct packet *pkt, struct flow *flow)
{
	struct policy_work *work = policy_buffer();
	struct policy_question *question;
	const struct policy_answer *answer;
	int ret;

	if (!pkt || !flow || !work)
		return -DROP_POLICY_EGRESS;
	question = &work->question;
	*question = (struct policy_question){};
	connection_of(&question->connection, &pkt->tuple, flow);
	ret = policy_ask(work);
	flow->egress_rule = question->egress.rule_id;
	flow->ingress_rule = question->ingress.rule_id;
	if (ret) {
		answer = ret == -DROP_POLICY_EGRESS ? &question->egress : &question->ingress;
		pkt->rule_id = answer->rule_id;
		pkt->identity = answer->identity;
		recent_deny(&question->connection);
		return ret;
	}
	policy_report(pkt, &question->egress, POLICY_EGRESS);
	policy_report(pkt, &question->ingress, POLICY_INGRESS);
	return 0;
}
