#!/usr/bin/env python3
"""Changes quickjs.c of QuickJS-ng 0.16.2, in place, as the engine needs it. A place that is not found is an error: then the
library was updated, and each change is to be looked at again."""

import re
import sys

DONE = "/* changed for Wasmyard */\n"
path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    text = file.read()
if text.startswith(DONE):
    sys.exit()


def change(before, after):
    global text
    if text.count(before) != 1:
        sys.exit(f"change-quickjs: {text.count(before)} places instead of one: {before!r}")
    text = text.replace(before, after)


def change_all(pattern, after, places):
    global text
    text, found = re.subn(pattern, after, text)
    if found != places:
        sys.exit(f"change-quickjs: {found} places instead of {places}: {pattern!r}")


# What the engine made before any script lives for ever. References to it are not counted: counting would write to its pages, and
# every page that a request writes to is to be made good behind it.
change_all(r"--JS_REF_COUNT\(([^()]+)\)", r"wasmyard_dropped(\1)", 7)
change_all(r"JS_REF_COUNT\(([^()]+)\)--;", r"wasmyard_dropped(\1);", 2)
change_all(r"JS_REF_COUNT\(([^()]+)\)\+\+;", r"wasmyard_kept(\1);", 19)
change("#define JS_GC_TYPE(p)   (js_rc(p)->gc_obj_type)\n", """#define JS_GC_TYPE(p)   (js_rc(p)->gc_obj_type)
#define WASMYARD_FOR_EVER (1 << 30)
static inline void wasmyard_kept(const void *p) {
    JSMallocBlockHeader *h = js_rc(p);
    if (likely(h->ref_count < WASMYARD_FOR_EVER))
        h->ref_count++;
}
static inline int wasmyard_dropped(const void *p) {
    JSMallocBlockHeader *h = js_rc(p);
    if (likely(h->ref_count < WASMYARD_FOR_EVER))
        return --h->ref_count;
    return WASMYARD_FOR_EVER;
}
""")

# A stack has a limit here as everywhere. The depth of the shadow stack is the measure.
change("#ifdef __wasi__\n    rt->stack_size = 0;\n#endif\n", "")
change("#if defined(__wasi__)\n    rt->stack_limit = 0; /* no limit */\n#else\n    if (rt->stack_size == 0) {",
       "#if 0\n#else\n    if (rt->stack_size == 0) {")

# Small blocks come in arenas. Those of an earlier phase (see `memory.rs`) are neither taken from nor given back to, so that
# what a script makes lies in pages of its own and what a request makes in others.
change("#define JS_ARENA_SIZE              4096\n",
       "#define JS_ARENA_SIZE              (4096 - 16) /* the allocator below adds 16 */\n"
       "#define WASMYARD_FIRST_ARENA       (1024 - 16)\nuint64_t wasmyard_random_seed(void);\n")
change("    uint16_t first_free_block;    /* JS_ARENA_FREE_NIL if none */\n",
       "    uint16_t first_free_block;    /* JS_ARENA_FREE_NIL if none */\n    uint8_t  closed;\n")
change("    ar->first_free_block = 0;\n", "    ar->first_free_block = 0;\n    ar->closed = 0;\n")
change("""                                  sizeof(JSArena));
        b->u.free_next = ar->first_free_block;
""", """                                  sizeof(JSArena));
        if (ar->closed)
            return;
        if (wasmyard_zero_freed)
            memset(b->user_data, 0, block_size - sizeof(*b));
        b->u.free_next = ar->first_free_block;
""")
change("static inline JSMallocBlockHeader *arena_zero_block(JSRuntime *rt)\n", """
bool wasmyard_zero_freed = true;
static bool wasmyard_keep_source = false;
void wasmyard_close_arenas(JSContext *ctx);
static JSValue wasmyard_refuse_code(JSContext *ctx, const char *fmt, ...);
static inline JSMallocBlockHeader *arena_zero_block(JSRuntime *rt)
""")

# What AsyncLocalStorage stores goes along with each reaction to a promise (see `async_context.rs`).
change("""    JSValue resolving_funcs[2];
    JSValue handler;
} JSPromiseReactionData;
""", """    JSValue resolving_funcs[2];
    JSValue handler;
    JSValue context;
} JSPromiseReactionData;

static JSValue wasmyard_current = JS_UNDEFINED;
""")
change("""    JS_FreeValueRT(rt, rd->handler);
    js_free_rt(rt, rd);
""", """    JS_FreeValueRT(rt, rd->handler);
    JS_FreeValueRT(rt, rd->context);
    js_free_rt(rt, rd);
""")
change("            JS_MarkValue(rt, rd->handler, mark_func);\n",
       "            JS_MarkValue(rt, rd->handler, mark_func);\n            JS_MarkValue(rt, rd->context, mark_func);\n")
change("        rd->handler = js_dup(handler);\n        rd_array[i] = rd;\n",
       "        rd->handler = js_dup(handler);\n        rd->context = js_dup(wasmyard_current);\n        rd_array[i] = rd;\n")
change("    JSPromiseReactionData *rd;\n    JSValueConst args[5];\n", "    JSPromiseReactionData *rd;\n    JSValueConst args[6];\n")
change("        args[4] = value;\n        JS_EnqueueJob(ctx, promise_reaction_job, 5, args);\n",
       "        args[4] = value;\n        args[5] = rd->context;\n        JS_EnqueueJob(ctx, promise_reaction_job, 6, args);\n")
change("        JSValueConst args[5];\n        call_promise_rejection_tracker(ctx, promise, true);\n",
       "        JSValueConst args[6];\n        call_promise_rejection_tracker(ctx, promise, true);\n")
change("        args[4] = s->promise_result;\n        JS_EnqueueJob(ctx, promise_reaction_job, 5, args);\n",
       "        args[4] = s->promise_result;\n        args[5] = rd->context;\n        JS_EnqueueJob(ctx, promise_reaction_job, 6, args);\n")
change("static JSValue promise_reaction_job(JSContext *ctx, int argc,\n",
       "static JSValue wasmyard_reaction_job(JSContext *ctx, int argc,\n")
change("    assert(argc == 5);\n    handler = argv[2];\n", "    assert(argc == 6);\n    handler = argv[2];\n")
change("void JS_SetPromiseHook(JSRuntime *rt, JSPromiseHook promise_hook, void *opaque)\n{\n", """
static JSValue promise_reaction_job(JSContext *ctx, int argc,
                                    JSValueConst *argv)
{
    JSValue before = wasmyard_current;
    JSValue res;
    wasmyard_current = js_dup(argv[5]);
    res = wasmyard_reaction_job(ctx, argc, argv);
    JS_FreeValue(ctx, wasmyard_current);
    wasmyard_current = before;
    return res;
}

JSValue wasmyard_context(JSContext *ctx);
JSValue wasmyard_context(JSContext *ctx)
{
    return js_dup(wasmyard_current);
}

void wasmyard_set_context(JSContext *ctx, JSValueConst value);
void wasmyard_set_context(JSContext *ctx, JSValueConst value)
{
    JSValue before = wasmyard_current;
    wasmyard_current = js_dup(value);
    JS_FreeValue(ctx, before);
}

void JS_SetPromiseHook(JSRuntime *rt, JSPromiseHook promise_hook, void *opaque)
{
""")

# The text of the prelude's functions is nobody's business, and is kept several times: a function that is inside of others is a part
# of each one's. They say that they are native, as the product's do.
change("    b->source = fd->source;\n    b->source_len = fd->source_len;\n", """    if (!wasmyard_keep_source) {
        js_free(ctx, fd->source);
        fd->source = NULL;
        fd->source_len = 0;
    }
    b->source = fd->source;
    b->source_len = fd->source_len;
""")
# No code is made of text once a script has started; the product's own error says so.
change("""        return JS_ThrowTypeError(ctx, "eval is not supported");""",
       """        return wasmyard_refuse_code(ctx,
            "Code generation from strings disallowed for this context");""")

# Chance begins anew in each event, when it is first asked for. Until a script is sealed the state is never zero.
change("    v = xorshift64star(&ctx->random_state);\n", """    if (ctx->random_state == 0)
        ctx->random_state = wasmyard_random_seed();
    v = xorshift64star(&ctx->random_state);
""")

# The first arena of a size is small: a request uses most sizes, and few blocks of each, and every page that it touches
# is to be made good behind it.
change("    n_blocks = (JS_ARENA_SIZE - sizeof(JSArena)) / block_size;\n",
       "    n_blocks = ((list_empty(&rt->arena_state.arena_list[block_size_idx]) && !wasmyard_zero_freed\n"
       "                 ? WASMYARD_FIRST_ARENA : JS_ARENA_SIZE) - sizeof(JSArena)) / block_size;\n")

text += """
static JSValue wasmyard_refuse_code(JSContext *ctx, const char *fmt, ...)
{
    va_list ap;
    JSValue error;
    va_start(ap, fmt);
    error = JS_ThrowError(ctx, JS_EVAL_ERROR, fmt, ap);
    va_end(ap);
    return error;
}

void wasmyard_live_for_ever(JSContext *ctx);
void wasmyard_live_for_ever(JSContext *ctx)
{
    JSRuntime *rt = ctx->rt;
    struct list_head *el;
    int i, n;
    /* The collector need not look at it: what is only reached from here has a count that nobody takes away. */
    list_for_each(el, &rt->gc_obj_list)
        JS_REF_COUNT(list_entry(el, JSGCObjectHeader, link)) = WASMYARD_FOR_EVER;
    init_list_head(&rt->gc_obj_list);
    /* Strings, symbols and big numbers are in no list. */
    for (i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
        list_for_each(el, &rt->arena_state.arena_list[i]) {
            JSArena *ar = list_entry(el, JSArena, link);
            uint8_t *first = (uint8_t *)ar + sizeof(JSArena);
            for (n = 0; n < ar->n_blocks; n++)
                ((JSMallocBlockHeader *)(first + (size_t)n * arena_block_sizes[i]))->ref_count = WASMYARD_FOR_EVER;
        }
    }
}

void wasmyard_close_arenas(JSContext *ctx)
{
    JSRuntime *rt = ctx->rt;
    int i;
    for (i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
        struct list_head *el;
        list_for_each(el, &rt->arena_state.arena_list[i])
            list_entry(el, JSArena, link)->closed = 1;
        init_list_head(&rt->arena_state.arena_list[i]);
        init_list_head(&rt->arena_state.free_arena_list[i]);
    }
}

void wasmyard_disable_eval(JSContext *ctx);
void wasmyard_disable_eval(JSContext *ctx)
{
    ctx->eval_internal = NULL;
}

void wasmyard_keep_sources(void);
void wasmyard_keep_sources(void)
{
    wasmyard_keep_source = true;
}

void wasmyard_forget_seed(JSContext *ctx);
void wasmyard_forget_seed(JSContext *ctx)
{
    ctx->random_state = 0;
}
"""
with open(path, "w", encoding="utf-8") as file:
    file.write(DONE + text)
