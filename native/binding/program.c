// SPDX-License-Identifier: Apache-2.0
/* Loaded programs: what the kernel says of them, and running them on a packet of ours. */
#include "internal.h"
#include "weir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

int weir_program_open_id(uint32_t id)
{
	return bpf_prog_get_fd_by_id(id);
}

int weir_program_info(int fd, struct weir_program_info *out)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int ret = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (ret)
		return ret;
	*out = (struct weir_program_info){
		.run_time_ns = info.run_time_ns,
		.run_count = info.run_cnt,
		.id = info.id,
		.type = info.type,
		.verified_instructions = info.verified_insns,
		.translated_size = info.xlated_prog_len,
		.jited_size = info.jited_prog_len,
	};
	memcpy(out->tag, info.tag, sizeof(out->tag));
	copy_name(out->name, sizeof(out->name), info.name);
	return 0;
}

int weir_program_query(int target, uint32_t attach_type, uint32_t *ids, uint32_t capacity)
{
	LIBBPF_OPTS(bpf_prog_query_opts, options, .prog_ids = ids, .prog_cnt = capacity);
	int ret = bpf_prog_query_opts(target, attach_type, &options);

	return ret ? ret : (int)options.prog_cnt;
}

int weir_program_test_run(int fd, const void *data, uint32_t data_size, void *data_out,
			  uint32_t data_capacity, void *context, uint32_t context_size,
			  void *context_out, uint32_t context_capacity, uint32_t repeat,
			  uint32_t flags, struct weir_test_run *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data, .data_size_in = data_size,
		    .data_out = data_out, .data_size_out = data_capacity, .ctx_in = context,
		    .ctx_size_in = context_size, .ctx_out = context_out,
		    .ctx_size_out = context_capacity, .repeat = (int)repeat, .flags = flags);
	int ret = bpf_prog_test_run_opts(fd, &options);

	*out = (struct weir_test_run){
		.return_value = options.retval,
		.duration_ns = options.duration,
		.data_size = options.data_size_out,
		.context_size = options.ctx_size_out,
	};
	return ret;
}

int weir_enable_stats(void)
{
	return bpf_enable_stats(BPF_STATS_RUN_TIME);
}
