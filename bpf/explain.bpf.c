/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Asks the policy in force without a packet, for `weir policy explain`: run by BPF_PROG_TEST_RUN,
 * never attached. Not of type syscall, for those may not read LPM tries (6.18): the question comes
 * and goes as the packet's bytes behind the Ethernet header. It makes no flow and counts nothing.
 */
SEC("tc")
int policy_explain(struct __sk_buff *skb)
{
	struct policy_work *work = policy_buffer();

	if (!work ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &work->question, sizeof(struct policy_question)))
		return -1;
	policy_ask(work);
	return bpf_skb_store_bytes(skb, ETH_HLEN, &work->question, sizeof(struct policy_question),
				   0);
}
