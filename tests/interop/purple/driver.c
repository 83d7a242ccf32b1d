/*
 * driver: headless, scriptable driver for the real pidgin-sipe client.
 *
 * It is a bare libpurple user interface: it reads a line script (file or
 * stdin), runs any number of SIPE accounts in one process, and prints one
 * JSON object per line on stdout for everything the client library reports.
 *
 * Usage:  driver [-s SCRIPT] [-d DEADLINE_S] [-u USERDIR] [-l LOGFILE]
 *                [--dump]  (also print every SIP message as an event)
 * Exit:   0 script finished / quit, 2 a waitfor or expect timed out,
 *         3 deadline reached, 4 script error.
 * See README.md beside this file for the script language.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <glib.h>

#include <account.h>
#include <accountopt.h>
#include <blist.h>
#include <connection.h>
#include <conversation.h>
#include <core.h>
#include <debug.h>
#include <eventloop.h>
#include <notify.h>
#include <plugin.h>
#include <privacy.h>
#include <prefs.h>
#include <prpl.h>
#include <request.h>
#include <roomlist.h>
#include <savedstatuses.h>
#include <server.h>
#include <signals.h>
#include <sslconn.h>
#include <status.h>
#include <util.h>

#define UI_ID "mynah-interop"

static GMainLoop *g_loop;
static gint64 g_start;
static int g_exit = 0;
static FILE *g_logf;
static GHashTable *g_accounts;         /* label -> PurpleAccount */
static GQueue *g_script;               /* remaining lines        */
static GList *g_events;                /* emitted, not yet consumed (char*) */
static gboolean g_autojoin = TRUE;     /* answer "accept" to questions */
static gboolean g_dump = FALSE;

/* ------------------------------------------------------------ JSON out */

static void json_str(GString *o, const char *s)
{
	g_string_append_c(o, '"');
	for (; s && *s; s++) {
		unsigned char c = (unsigned char)*s;
		switch (c) {
		case '"':  g_string_append(o, "\\\""); break;
		case '\\': g_string_append(o, "\\\\"); break;
		case '\n': g_string_append(o, "\\n"); break;
		case '\r': g_string_append(o, "\\r"); break;
		case '\t': g_string_append(o, "\\t"); break;
		default:
			if (c < 0x20) g_string_append_printf(o, "\\u%04x", c);
			else g_string_append_c(o, (char)c);
		}
	}
	g_string_append_c(o, '"');
}

static void script_poke(void);

/* emit("ev", "key", "value", ..., NULL): value NULL -> null */
static void emit(const char *ev, ...)
{
	GString *o = g_string_new(NULL);
	va_list ap;
	const char *k;
	g_string_append_printf(o, "{\"t\":%.3f,\"ev\":",
			       (g_get_monotonic_time() - g_start) / 1e6);
	json_str(o, ev);
	va_start(ap, ev);
	while ((k = va_arg(ap, const char *)) != NULL) {
		const char *v = va_arg(ap, const char *);
		g_string_append_c(o, ',');
		json_str(o, k);
		g_string_append_c(o, ':');
		if (v) json_str(o, v); else g_string_append(o, "null");
	}
	va_end(ap);
	g_string_append_c(o, '}');
	fputs(o->str, stdout);
	fputc('\n', stdout);
	fflush(stdout);
	g_events = g_list_append(g_events, g_string_free(o, FALSE));
	script_poke();
}

static const char *label_of(PurpleAccount *a)
{
	GHashTableIter it; gpointer k, v;
	g_hash_table_iter_init(&it, g_accounts);
	while (g_hash_table_iter_next(&it, &k, &v))
		if (v == a) return k;
	return a ? purple_account_get_username(a) : NULL;
}

/* ------------------------------------------------- event loop glue */

typedef struct { PurpleInputFunction fn; gpointer data; } IoCb;

static gboolean io_ready(GIOChannel *ch, GIOCondition cond, gpointer data)
{
	IoCb *cb = data;
	PurpleInputCondition pc = 0;
	if (cond & (G_IO_IN | G_IO_HUP | G_IO_ERR)) pc |= PURPLE_INPUT_READ;
	if (cond & (G_IO_OUT | G_IO_ERR | G_IO_NVAL)) pc |= PURPLE_INPUT_WRITE;
	cb->fn(cb->data, g_io_channel_unix_get_fd(ch), pc);
	return TRUE;
}

static guint io_add(int fd, PurpleInputCondition c, PurpleInputFunction fn, gpointer data)
{
	IoCb *cb = g_new0(IoCb, 1);
	GIOCondition gc = 0;
	GIOChannel *ch = g_io_channel_unix_new(fd);
	guint id;
	cb->fn = fn; cb->data = data;
	if (c & PURPLE_INPUT_READ) gc |= G_IO_IN | G_IO_HUP | G_IO_ERR;
	if (c & PURPLE_INPUT_WRITE) gc |= G_IO_OUT | G_IO_ERR | G_IO_NVAL;
	id = g_io_add_watch_full(ch, G_PRIORITY_DEFAULT, gc, io_ready, cb, g_free);
	g_io_channel_unref(ch);
	return id;
}

static PurpleEventLoopUiOps loop_ops = {
	.timeout_add = g_timeout_add,
	.timeout_remove = g_source_remove,
	.input_add = io_add,
	.input_remove = g_source_remove,
	.timeout_add_seconds = g_timeout_add_seconds,
};

/* ---------------------------------------- questions from the client */

static const char *type_name(int t)
{
	switch (t) {
	case PURPLE_NOTIFY_MSG_ERROR: return "error";
	case PURPLE_NOTIFY_MSG_WARNING: return "warning";
	default: return "info";
	}
}

static void *ui_notify_message(PurpleNotifyMsgType t, const char *title,
			       const char *pri, const char *sec)
{
	emit("notify", "level", type_name(t), "title", title, "primary", pri,
	     "secondary", sec, NULL);
	return NULL;
}

static void *ui_notify_formatted(const char *title, const char *pri,
				 const char *sec, const char *text)
{
	emit("notify-formatted", "title", title, "primary", pri, "secondary", sec,
	     "text", text, NULL);
	return NULL;
}

static void *ui_notify_userinfo(PurpleConnection *gc, const char *who,
				PurpleNotifyUserInfo *info)
{
	char *txt = purple_notify_user_info_get_text_with_newline(info, "\n");
	emit("userinfo", "acct", label_of(purple_connection_get_account(gc)),
	     "who", who, "text", txt, NULL);
	g_free(txt);
	return NULL;
}

static void *ui_notify_search(PurpleConnection *gc, const char *title,
			      const char *pri, const char *sec,
			      PurpleNotifySearchResults *res, gpointer data)
{
	GList *r;
	int n = 0;
	for (r = res->rows; r; r = r->next, n++) {
		GString *row = g_string_new(NULL);
		GList *c;
		for (c = r->data; c; c = c->next)
			g_string_append_printf(row, "%s%s", row->len ? " | " : "",
					       (char *)c->data ? (char *)c->data : "");
		emit("search-row", "acct", label_of(purple_connection_get_account(gc)),
		     "row", row->str, NULL);
		g_string_free(row, TRUE);
	}
	{
		char b[16]; g_snprintf(b, sizeof b, "%d", n);
		emit("search-done", "acct", label_of(purple_connection_get_account(gc)),
		     "rows", b, "primary", pri, "secondary", sec, NULL);
	}
	return res;
}

static void *ui_notify_uri(const char *uri) { emit("notify-uri", "uri", uri, NULL); return NULL; }

static PurpleNotifyUiOps notify_ops = {
	.notify_message = ui_notify_message,
	.notify_formatted = ui_notify_formatted,
	.notify_searchresults = ui_notify_search,
	.notify_userinfo = ui_notify_userinfo,
	.notify_uri = ui_notify_uri,
};

typedef struct { GCallback cb; gpointer data; int idx; char *label; } Pending;

static gboolean answer_later(gpointer p)
{
	Pending *q = p;
	if (q->cb) ((PurpleRequestActionCb)q->cb)(q->data, q->idx);
	g_free(q->label);
	g_free(q);
	return FALSE;
}

/* pick the affirmative button: Accept / Yes / OK / Allow / Authorize */
static void *ui_request_action(const char *title, const char *pri, const char *sec,
			       int def, PurpleAccount *acct, const char *who,
			       PurpleConversation *conv, void *data,
			       size_t n, va_list ap)
{
	GString *labels = g_string_new(NULL);
	Pending *q = g_new0(Pending, 1);
	size_t i;
	int best = -1;
	for (i = 0; i < n; i++) {
		const char *l = va_arg(ap, const char *);
		GCallback cb = va_arg(ap, GCallback);
		gboolean yes = strstr(l, "ccept") || strstr(l, "Yes") || strstr(l, "OK") ||
			       strstr(l, "Allow") || strstr(l, "uthorize");
		g_string_append_printf(labels, "%s%s", i ? "|" : "", l);
		if ((g_autojoin && yes && best < 0) ||
		    (!g_autojoin && !yes && best < 0)) {
			best = (int)i; q->cb = cb; q->idx = (int)i;
			q->label = g_strdup(l);
		}
	}
	q->data = data;
	emit("request-action", "acct", label_of(acct), "title", title, "primary", pri,
	     "secondary", sec, "choices", labels->str, "chosen", q->label, NULL);
	g_string_free(labels, TRUE);
	g_timeout_add(1, answer_later, q);
	return q;
}

/* Generic form filler: values come from "form key=value" script lines */
static GHashTable *g_form;

typedef struct { GCallback cb; gpointer data; PurpleRequestFields *f; } PendingForm;

static gboolean form_later(gpointer p)
{
	PendingForm *q = p;
	if (q->cb) ((PurpleRequestFieldsCb)q->cb)(q->data, q->f);
	purple_request_fields_destroy(q->f);
	g_free(q);
	return FALSE;
}

static void *ui_request_fields(const char *title, const char *pri, const char *sec,
			       PurpleRequestFields *fields,
			       const char *ok_t, GCallback ok, const char *c_t, GCallback cancel,
			       PurpleAccount *acct, const char *who, PurpleConversation *conv,
			       void *data)
{
	GString *ids = g_string_new(NULL);
	GList *g, *l;
	for (g = purple_request_fields_get_groups(fields); g; g = g->next)
		for (l = purple_request_field_group_get_fields(g->data); l; l = l->next) {
			PurpleRequestField *f = l->data;
			const char *id = purple_request_field_get_id(f);
			const char *v = g_form ? g_hash_table_lookup(g_form, id) : NULL;
			g_string_append_printf(ids, "%s%s", ids->len ? "," : "", id);
			if (!v) continue;
			switch (purple_request_field_get_type(f)) {
			case PURPLE_REQUEST_FIELD_STRING:
				purple_request_field_string_set_value(f, v); break;
			case PURPLE_REQUEST_FIELD_BOOLEAN:
				purple_request_field_bool_set_value(f, atoi(v)); break;
			case PURPLE_REQUEST_FIELD_INTEGER:
				purple_request_field_int_set_value(f, atoi(v)); break;
			case PURPLE_REQUEST_FIELD_CHOICE:
				purple_request_field_choice_set_value(f, atoi(v)); break;
			default: break;
			}
		}
	emit("request-fields", "acct", label_of(acct), "title", title, "primary", pri,
	     "fields", ids->str, "ok", ok_t, NULL);
	g_string_free(ids, TRUE);
	{
		PendingForm *q = g_new0(PendingForm, 1);
		q->cb = ok; q->data = data; q->f = fields;
		g_timeout_add(1, form_later, q);
		return q;
	}
}

typedef struct { GCallback cb; gpointer data; char *v; } PendingInput;
static gboolean input_later(gpointer p)
{
	PendingInput *q = p;
	if (q->cb) ((PurpleRequestInputCb)q->cb)(q->data, q->v);
	g_free(q->v); g_free(q);
	return FALSE;
}

static void *ui_request_input(const char *title, const char *pri, const char *sec,
			      const char *def, gboolean multi, gboolean mask, gchar *hint,
			      const char *ok_t, GCallback ok, const char *c_t, GCallback cancel,
			      PurpleAccount *acct, const char *who, PurpleConversation *conv,
			      void *data)
{
	PendingInput *q = g_new0(PendingInput, 1);
	const char *v = g_form ? g_hash_table_lookup(g_form, "input") : NULL;
	emit("request-input", "acct", label_of(acct), "title", title, "primary", pri,
	     "secondary", sec, NULL);
	q->cb = ok; q->data = data; q->v = g_strdup(v ? v : def);
	g_timeout_add(1, input_later, q);
	return q;
}

static PurpleRequestUiOps request_ops = {
	.request_action = ui_request_action,
	.request_fields = ui_request_fields,
	.request_input = ui_request_input,
};

/* ------------------------------------------------------ accounts UI */

static void ui_notify_added(PurpleAccount *a, const char *remote, const char *id,
			    const char *alias, const char *msg)
{
	emit("added-you", "acct", label_of(a), "who", remote, "alias", alias, NULL);
}

static void *ui_authorize(PurpleAccount *a, const char *remote, const char *id,
			  const char *alias, const char *msg, gboolean on_list,
			  PurpleAccountRequestAuthorizationCb yes,
			  PurpleAccountRequestAuthorizationCb no, void *data)
{
	emit("authorize-request", "acct", label_of(a), "who", remote, "alias", alias,
	     "on_list", on_list ? "1" : "0", "answer", g_autojoin ? "allow" : "deny", NULL);
	if (g_autojoin) yes(data); else no(data);
	return NULL;
}

static void ui_room_add(PurpleRoomlist *list, PurpleRoomlistRoom *room)
{
	GString *f = g_string_new(NULL);
	GList *d = list->fields, *v = room->fields;
	for (; d && v; d = d->next, v = v->next) {
		PurpleRoomlistField *rf = d->data;
		g_string_append_printf(f, "%s%s=", f->len ? " | " : "", rf->name ? rf->name : "");
		if (rf->type == PURPLE_ROOMLIST_FIELD_STRING)
			g_string_append(f, v->data ? (char *)v->data : "");
		else
			g_string_append_printf(f, "%d", GPOINTER_TO_INT(v->data));
	}
	emit("room", "acct", label_of(list->account), "name", room->name, "fields", f->str, NULL);
	g_string_free(f, TRUE);
}
static void ui_room_progress(PurpleRoomlist *list, gboolean busy)
{ if (!busy) emit("roomlist-done", "acct", label_of(list->account), NULL); }

static PurpleRoomlistUiOps roomlist_ops = {
	.add_room = ui_room_add,
	.in_progress = ui_room_progress,
};
static PurpleRoomlist *g_rooms;        /* keeps the last list alive */

static PurpleAccountUiOps account_ops = {
	.notify_added = ui_notify_added,
	.request_add = ui_notify_added,
	.request_authorize = ui_authorize,
};

/* ------------------------------------------------- conversation UI */

static void ui_write_conv(PurpleConversation *c, const char *name, const char *alias,
			  const char *msg, PurpleMessageFlags fl, time_t when)
{
	/* system / error lines (delivery failures, topic, join notices) */
	if (fl & (PURPLE_MESSAGE_SYSTEM | PURPLE_MESSAGE_ERROR))
		emit("conv-system", "acct", label_of(purple_conversation_get_account(c)),
		     "conv", purple_conversation_get_name(c),
		     "level", (fl & PURPLE_MESSAGE_ERROR) ? "error" : "system",
		     "text", msg, NULL);
}

static PurpleConversationUiOps conv_ops = { .write_conv = ui_write_conv };

/* -------------------------------------------------- signal handlers */

static void on_signed_on(PurpleConnection *gc, gpointer u)
{ emit("signed-on", "acct", label_of(purple_connection_get_account(gc)), NULL); }
static void on_signed_off(PurpleConnection *gc, gpointer u)
{ emit("signed-off", "acct", label_of(purple_connection_get_account(gc)), NULL); }
static void on_conn_error(PurpleConnection *gc, PurpleConnectionError e, const char *d, gpointer u)
{
	char b[16]; g_snprintf(b, sizeof b, "%d", (int)e);
	emit("connection-error", "acct", label_of(purple_connection_get_account(gc)),
	     "code", b, "text", d, NULL);
}

/* the line the client shows below a buddy: activity or custom state, and note */
static char *status_text(PurpleBuddy *b)
{
	PurpleConnection *gc = purple_account_get_connection(purple_buddy_get_account(b));
	PurplePluginProtocolInfo *pi;
	if (!gc || purple_connection_get_state(gc) != PURPLE_CONNECTED) return NULL;
	pi = PURPLE_PLUGIN_PROTOCOL_INFO(purple_connection_get_prpl(gc));
	return pi->status_text ? pi->status_text(b) : NULL;
}

static void emit_buddy(const char *ev, PurpleBuddy *b)
{
	PurplePresence *p = purple_buddy_get_presence(b);
	PurpleStatus *s = purple_presence_get_active_status(p);
	PurpleGroup *g = purple_buddy_get_group(b);
	char *text = status_text(b);
	emit(ev, "acct", label_of(purple_buddy_get_account(b)),
	     "who", purple_buddy_get_name(b),
	     "status", purple_status_get_id(s),
	     "status_name", purple_status_get_name(s),
	     "text", text ? text : "",
	     "online", purple_presence_is_online(p) ? "1" : "0",
	     "idle", purple_presence_is_idle(p) ? "1" : "0",
	     "alias", purple_buddy_get_alias(b),
	     "group", g ? purple_group_get_name(g) : NULL, NULL);
	g_free(text);
}

/* what the client keeps of a contact card beside the name */
static const char *const card_keys[] = {
	"title", "department", "company", "office", "email",
	"phone-display", "phone-mobile-display", "phone-home-display",
};

static void emit_card(PurpleBuddy *b, char **card)
{
	emit("buddy-card", "acct", label_of(purple_buddy_get_account(b)),
	     "who", purple_buddy_get_name(b), "name", purple_buddy_get_server_alias(b),
	     "title", card[0], "department", card[1], "company", card[2], "office", card[3],
	     "email", card[4], "phone", card[5], "mobile", card[6], "home", card[7], NULL);
}

/* The library has no signal for a new text or card of a buddy whose status stays: look. */
static GHashTable *g_texts, *g_cards;  /* buddy -> as last seen */

static gboolean is_new(GHashTable *seen, PurpleBuddy *b, const char *now)
{
	if (!g_strcmp0(g_hash_table_lookup(seen, b), now)) return FALSE;
	g_hash_table_insert(seen, b, g_strdup(now));
	return TRUE;
}

static gboolean look(gpointer u)
{
	GSList *all = purple_blist_get_buddies(), *i;
	for (i = all; i; i = i->next) {
		PurpleBuddy *b = i->data;
		char *text = status_text(b), *card[G_N_ELEMENTS(card_keys) + 1] = { NULL }, *flat;
		gsize k;
		for (k = 0; k < G_N_ELEMENTS(card_keys); k++) {
			const char *v = purple_blist_node_get_string((PurpleBlistNode *)b, card_keys[k]);
			card[k] = (char *)(v ? v : "");
		}
		flat = g_strjoinv("\n", card);
		if (is_new(g_cards, b, flat)) emit_card(b, card);
		if (is_new(g_texts, b, text ? text : "")) emit_buddy("buddy-text", b);
		g_free(flat);
		g_free(text);
	}
	g_slist_free(all);
	return TRUE;
}
static void on_b_status(PurpleBuddy *b, PurpleStatus *o, PurpleStatus *n, gpointer u) { emit_buddy("buddy-status", b); }
static void on_b_on(PurpleBuddy *b, gpointer u) { emit_buddy("buddy-signed-on", b); }
static void on_b_off(PurpleBuddy *b, gpointer u) { emit_buddy("buddy-signed-off", b); }
static void on_b_idle(PurpleBuddy *b, gboolean o, gboolean n, gpointer u) { emit_buddy("buddy-idle", b); }
static void on_b_add(PurpleBuddy *b, gpointer u) { emit_buddy("buddy-added", b); }
static void on_b_rem(PurpleBuddy *b, gpointer u)
{
	g_hash_table_remove(g_texts, b);
	g_hash_table_remove(g_cards, b);
	emit_buddy("buddy-removed", b);
}
static void on_alias(PurpleBlistNode *n, const char *old, gpointer u)
{
	if (PURPLE_BLIST_NODE_IS_BUDDY(n)) emit_buddy("buddy-alias", (PurpleBuddy *)n);
}

static void on_im(PurpleAccount *a, char *who, char *msg, PurpleConversation *c, PurpleMessageFlags f, gpointer u)
{ emit("received-im", "acct", label_of(a), "from", who, "text", msg, NULL); }
static void on_sent_im(PurpleAccount *a, const char *who, const char *msg, gpointer u)
{ emit("sent-im", "acct", label_of(a), "to", who, "text", msg, NULL); }
static void on_chat_msg(PurpleAccount *a, char *who, char *msg, PurpleConversation *c, PurpleMessageFlags f, gpointer u)
{
	emit("received-chat", "acct", label_of(a), "chat", c ? purple_conversation_get_name(c) : NULL,
	     "from", who, "text", msg, "self", (f & PURPLE_MESSAGE_SEND) ? "1" : "0", NULL);
}
static void on_typing(PurpleAccount *a, const char *who, gpointer u)
{ emit("typing", "acct", label_of(a), "from", who, NULL); }
static void on_typing_stop(PurpleAccount *a, const char *who, gpointer u)
{ emit("typing-stopped", "acct", label_of(a), "from", who, NULL); }
static gint on_chat_invited(PurpleAccount *a, const char *inv, const char *room, const char *msg, const GHashTable *d, gpointer u)
{
	emit("chat-invited", "acct", label_of(a), "from", inv, "chat", room, "text", msg, NULL);
	return g_autojoin ? 1 : 0;
}
static void on_chat_joined(PurpleConversation *c, gpointer u)
{
	char b[16]; g_snprintf(b, sizeof b, "%d", purple_conv_chat_get_id(PURPLE_CONV_CHAT(c)));
	emit("chat-joined", "acct", label_of(purple_conversation_get_account(c)),
	     "chat", purple_conversation_get_name(c), "id", b, NULL);
}
static void on_chat_left(PurpleConversation *c, gpointer u)
{ emit("chat-left", "acct", label_of(purple_conversation_get_account(c)), "chat", purple_conversation_get_name(c), NULL); }
static void on_user_joined(PurpleConversation *c, const char *n, PurpleConvChatBuddyFlags f, gboolean is_new, gpointer u)
{
	emit("chat-user-joined", "acct", label_of(purple_conversation_get_account(c)),
	     "chat", purple_conversation_get_name(c), "who", n, "operator",
	     (f & PURPLE_CBFLAGS_OP) ? "1" : "0", "new", is_new ? "1" : "0", NULL);
}
static void on_user_flags(PurpleConversation *c, const char *n, PurpleConvChatBuddyFlags o, PurpleConvChatBuddyFlags f, gpointer u)
{
	emit("chat-user-flags", "acct", label_of(purple_conversation_get_account(c)),
	     "chat", purple_conversation_get_name(c), "who", n, "operator",
	     (f & PURPLE_CBFLAGS_OP) ? "1" : "0", NULL);
}
static void on_user_left(PurpleConversation *c, const char *n, const char *r, gpointer u)
{
	emit("chat-user-left", "acct", label_of(purple_conversation_get_account(c)),
	     "chat", purple_conversation_get_name(c), "who", n, "reason", r, NULL);
}
static void on_topic(PurpleConversation *c, const char *who, const char *t, gpointer u)
{
	emit("chat-topic", "acct", label_of(purple_conversation_get_account(c)),
	     "chat", purple_conversation_get_name(c), "topic", t, NULL);
}
static void on_conv_created(PurpleConversation *c, gpointer u)
{
	emit("conv-created", "acct", label_of(purple_conversation_get_account(c)),
	     "conv", purple_conversation_get_name(c),
	     "type", purple_conversation_get_type(c) == PURPLE_CONV_TYPE_CHAT ? "chat" : "im", NULL);
}

static void hook_signals(void)
{
	static int h;
	void *cn = purple_connections_get_handle(), *bl = purple_blist_get_handle(),
	     *cv = purple_conversations_get_handle();
#define ON(inst, sig, fn) purple_signal_connect(inst, sig, &h, PURPLE_CALLBACK(fn), NULL)
	ON(cn, "signed-on", on_signed_on);
	ON(cn, "signed-off", on_signed_off);
	ON(cn, "connection-error", on_conn_error);
	ON(bl, "buddy-status-changed", on_b_status);
	ON(bl, "buddy-signed-on", on_b_on);
	ON(bl, "buddy-signed-off", on_b_off);
	ON(bl, "buddy-idle-changed", on_b_idle);
	ON(bl, "buddy-added", on_b_add);
	ON(bl, "buddy-removed", on_b_rem);
	ON(bl, "blist-node-aliased", on_alias);
	ON(cv, "received-im-msg", on_im);
	ON(cv, "sent-im-msg", on_sent_im);
	ON(cv, "received-chat-msg", on_chat_msg);
	ON(cv, "buddy-typing", on_typing);
	ON(cv, "buddy-typing-stopped", on_typing_stop);
	ON(cv, "chat-invited", on_chat_invited);
	ON(cv, "chat-joined", on_chat_joined);
	ON(cv, "chat-left", on_chat_left);
	ON(cv, "chat-buddy-joined", on_user_joined);
	ON(cv, "chat-buddy-left", on_user_left);
	ON(cv, "chat-buddy-flags", on_user_flags);
	ON(cv, "chat-topic-changed", on_topic);
	ON(cv, "conversation-created", on_conv_created);
#undef ON
}

/* ------------------------------------------------------- script */

static gboolean g_waiting;             /* in wait / waitfor */
static guint g_timer;
static char **g_want;                  /* {event, key=val..., NULL} */
static gboolean g_forbid;              /* "never": matching event is a failure */
static guint g_poke;

static void finish(int code) { g_exit = code; g_main_loop_quit(g_loop); }

static char *unescape(const char *s) { return g_strcompress(s); }

/* A JSON line matches when it has "ev":"X" and every key's text contains val */
static gboolean json_matches(const char *line, char **want)
{
	int i;
	for (i = 0; want[i]; i++) {
		char *eq = strchr(want[i], '=');
		char *key = i == 0 ? g_strdup("ev") : eq ? g_strndup(want[i], eq - want[i]) : NULL;
		const char *val = i == 0 ? want[i] : eq ? eq + 1 : "";
		GString *pat;
		const char *p, *end;
		gboolean ok = FALSE;
		if (!key) return FALSE;
		pat = g_string_new(NULL);
		json_str(pat, key);
		g_string_append(pat, ":\"");
		p = strstr(line, pat->str);
		if (p) {
			char *esc;
			GString *e = g_string_new(NULL);
			p += pat->len;
			for (end = p; *end && *end != '"'; end++) if (*end == '\\' && end[1]) end++;
			json_str(e, val);
			esc = g_strndup(e->str + 1, e->len - 2);
			if (i == 0) ok = (size_t)(end - p) == strlen(esc) && !strncmp(p, esc, end - p);
			else { char *field = g_strndup(p, end - p); ok = strstr(field, esc) != NULL; g_free(field); }
			g_free(esc);
			g_string_free(e, TRUE);
		}
		g_string_free(pat, TRUE);
		g_free(key);
		if (!ok) return FALSE;
	}
	return TRUE;
}

static gboolean try_match(void)
{
	GList *l;
	for (l = g_events; l; l = l->next)
		if (json_matches(l->data, g_want)) {
			/* consume this event only, so order between waits is free */
			g_free(l->data);
			g_events = g_list_delete_link(g_events, l);
			return TRUE;
		}
	return FALSE;
}

static gboolean run_script(gpointer unused);

static gboolean wait_over(gpointer u)
{
	g_timer = 0;
	if (g_want) {
		if (!g_forbid) {
			char *w = g_strjoinv(" ", g_want);
			emit("waitfor-timeout", "wanted", w, NULL);
			g_free(w);
			finish(2);
			return FALSE;
		}
		g_strfreev(g_want); g_want = NULL; g_forbid = FALSE;
	}
	g_waiting = FALSE;
	run_script(NULL);
	return FALSE;
}

static gboolean poke_cb(gpointer u)
{
	g_poke = 0;
	if (g_want && try_match()) {
		if (g_forbid) {
			char *w = g_strjoinv(" ", g_want);
			emit("never-violated", "unwanted", w, NULL);
			g_free(w);
			finish(2);
			return FALSE;
		}
		if (g_timer) { g_source_remove(g_timer); g_timer = 0; }
		g_strfreev(g_want); g_want = NULL;
		g_waiting = FALSE;
		run_script(NULL);
	}
	return FALSE;
}
static void script_poke(void) { if (g_want && !g_poke) g_poke = g_idle_add(poke_cb, NULL); }

static PurpleAccount *acct_of(const char *label)
{
	PurpleAccount *a = label ? g_hash_table_lookup(g_accounts, label) : NULL;
	if (!a) { emit("script-error", "text", "unknown account", "label", label, NULL); finish(4); }
	return a;
}
static PurpleConnection *conn(const char *label)
{
	PurpleAccount *a = acct_of(label);
	PurpleConnection *gc = a ? purple_account_get_connection(a) : NULL;
	if (a && !gc) emit("script-warning", "text", "not connected", "label", label, NULL);
	return gc;
}
static PurpleConversation *chat_conv(PurpleAccount *a, const char *name)
{
	GList *l;
	for (l = purple_get_chats(); l; l = l->next) {
		PurpleConversation *c = l->data;
		if (purple_conversation_get_account(c) == a &&
		    (!strcmp(name, "*") || strstr(purple_conversation_get_name(c), name)))
			return c;
	}
	emit("script-warning", "text", "no such chat", "label", label_of(a), "chat", name, NULL);
	return NULL;
}

static void walk_menu(GList *m, const char *path, const char *want, gpointer target, gboolean *done)
{
	for (; m; m = m->next) {
		PurpleMenuAction *act = m->data;
		char *p;
		if (!act) continue;
		p = *path ? g_strdup_printf("%s/%s", path, act->label) : g_strdup(act->label);
		if (!want) { if (act->callback || !act->children) emit("menu-item", "path", p, "enabled", act->callback ? "1" : "0", NULL); }
		else if (!*done && act->callback && strstr(p, want)) {
			*done = TRUE;
			((void (*)(gpointer, gpointer))act->callback)(target, act->data);
		}
		if (!*done && act->children) walk_menu(act->children, p, want, target, done);
		g_free(p);
	}
}

static void dump_blist(PurpleAccount *a)
{
	GSList *b = purple_find_buddies(a, NULL), *i;
	for (i = b; i; i = i->next) emit_buddy("blist-entry", i->data);
	emit("blist-done", "acct", label_of(a), NULL);
	g_slist_free(b);
}

static void do_line(char *line)
{
	/* split into at most N shell-like words; last command argument may be raw text */
	char *raw = g_strstrip(g_strdup(line));
	char **w = NULL;
	int n = 0;
	GError *err = NULL;
	if (!*raw || *raw == '#') { g_free(raw); return; }
	if (!g_shell_parse_argv(raw, &n, &w, &err)) {
		emit("script-error", "text", err ? err->message : "parse", "line", raw, NULL);
		finish(4);
		g_free(raw);
		return;
	}
#define IS(c, min) (!strcmp(w[0], c) && n > (min))
	if (IS("account", 1)) {
		char *user = NULL, *pass = NULL;
		PurpleAccount *a;
		int i;
		for (i = 2; i < n; i++) {
			if (g_str_has_prefix(w[i], "user=")) user = w[i] + 5;
			else if (g_str_has_prefix(w[i], "password=")) pass = w[i] + 9;
		}
		a = purple_account_new(user ? user : "", "prpl-sipe");
		purple_accounts_add(a);
		purple_account_set_password(a, pass);
		purple_account_set_remember_password(a, TRUE);
		purple_account_set_string(a, "transport", "tls");
		purple_account_set_string(a, "authentication", "ntlm");
		purple_account_set_bool(a, "dont-publish", TRUE);
		for (i = 2; i < n; i++) {
			char *eq = strchr(w[i], '=');
			if (!eq) continue;
			*eq = 0;
			if (!strcmp(w[i], "server")) purple_account_set_string(a, "server", eq + 1);
			else if (!strcmp(w[i], "transport")) purple_account_set_string(a, "transport", eq + 1);
			else if (!strcmp(w[i], "auth")) purple_account_set_string(a, "authentication", eq + 1);
			else if (g_str_has_prefix(w[i], "opt.")) purple_account_set_string(a, w[i] + 4, eq + 1);
			else if (g_str_has_prefix(w[i], "bool.")) purple_account_set_bool(a, w[i] + 5, atoi(eq + 1));
			*eq = '=';
		}
		g_hash_table_insert(g_accounts, g_strdup(w[1]), a);
	} else if (IS("login", 1)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) purple_account_set_enabled(a, UI_ID, TRUE);
	} else if (IS("logout", 1)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) purple_account_set_enabled(a, UI_ID, FALSE);
	} else if (IS("wait", 1)) {
		g_waiting = TRUE;
		g_timer = g_timeout_add((guint)(g_ascii_strtod(w[1], NULL) * 1000), wait_over, NULL);
	} else if (IS("waitfor", 2) || IS("never", 2)) {
		/* waitfor SECONDS EVENT [key=substring]... */
		double s = g_ascii_strtod(w[1], NULL);
		g_want = g_strdupv(w + 2);
		g_forbid = !strcmp(w[0], "never");
		g_waiting = TRUE;
		g_timer = g_timeout_add((guint)(s * 1000), wait_over, NULL);
		script_poke();
	} else if (IS("forget", 0)) {
		g_list_free_full(g_events, g_free);
		g_events = NULL;
	} else if (IS("status", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) {
			char *note = n > 3 ? unescape(w[3]) : NULL;
			if (note) purple_account_set_status(a, w[2], TRUE, "message", note, NULL);
			else purple_account_set_status(a, w[2], TRUE, NULL);
			g_free(note);
		}
	} else if (IS("idle", 2)) {
		/* as the library does it for a user who asked to be away when idle: from a status
		   that comes alone the client takes it that the user chose it */
		PurpleAccount *a = acct_of(w[1]);
		int s = atoi(w[2]);
		if (a) {
			PurplePresence *p = purple_account_get_presence(a);
			if (s > 0) purple_account_set_status(a, "away", TRUE, NULL);
			purple_presence_set_idle(p, s > 0, time(NULL) - s);
			if (s == 0) purple_account_set_status(a, "available", TRUE, NULL);
		}
	} else if (IS("add-buddy", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) {
			const char *gn = n > 3 ? w[3] : "Other Contacts";
			PurpleGroup *g = purple_find_group(gn);
			PurpleBuddy *b = purple_buddy_new(a, w[2], n > 4 ? w[4] : NULL);
			if (!g) { g = purple_group_new(gn); purple_blist_add_group(g, NULL); }
			purple_blist_add_buddy(b, NULL, g, NULL);
			purple_account_add_buddy(a, b);
		}
	} else if (IS("remove-buddy", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleBuddy *b = a ? purple_find_buddy(a, w[2]) : NULL;
		if (b) {
			purple_account_remove_buddy(a, b, purple_buddy_get_group(b));
			purple_blist_remove_buddy(b);
		}
	} else if (IS("alias-buddy", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleBuddy *b = a ? purple_find_buddy(a, w[2]) : NULL;
		if (b) { purple_blist_alias_buddy(b, w[3]); serv_alias_buddy(b); }
	} else if (IS("move-buddy", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleBuddy *b = a ? purple_find_buddy(a, w[2]) : NULL;
		if (b) {
			PurpleGroup *g = purple_find_group(w[3]);
			if (!g) { g = purple_group_new(w[3]); purple_blist_add_group(g, NULL); }
			purple_blist_add_buddy(b, NULL, g, NULL);
		}
	} else if (IS("rename-group", 2)) {
		PurpleGroup *g = purple_find_group(w[1]);
		if (g) purple_blist_rename_group(g, w[2]);
	} else if (IS("remove-group", 1)) {
		PurpleGroup *g = purple_find_group(w[1]);
		if (g) purple_blist_remove_group(g);
	} else if (IS("permit", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) purple_privacy_permit_add(a, w[2], FALSE);
	} else if (IS("deny", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) purple_privacy_deny_add(a, w[2], FALSE);
	} else if (IS("blist", 1)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) dump_blist(a);
	} else if (IS("info", 2)) {
		PurpleConnection *gc = conn(w[1]);
		if (gc) serv_get_info(gc, w[2]);
	} else if (IS("im", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		if (a) {
			char *t = unescape(w[3]);
			PurpleConversation *c = purple_find_conversation_with_account(PURPLE_CONV_TYPE_IM, w[2], a);
			if (!c) c = purple_conversation_new(PURPLE_CONV_TYPE_IM, a, w[2]);
			purple_conv_im_send(PURPLE_CONV_IM(c), t);
			g_free(t);
		}
	} else if (IS("close-im", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConversation *c = a ? purple_find_conversation_with_account(PURPLE_CONV_TYPE_IM, w[2], a) : NULL;
		if (c) purple_conversation_destroy(c);
	} else if (IS("typing", 3)) {
		PurpleConnection *gc = conn(w[1]);
		if (gc) serv_send_typing(gc, w[2], !strcmp(w[3], "on") ? PURPLE_TYPING : PURPLE_NOT_TYPING);
	} else if (IS("menu", 2) || IS("menu-do", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConnection *gc = a ? purple_account_get_connection(a) : NULL;
		PurpleBuddy *b = a ? purple_find_buddy(a, w[2]) : NULL;
		if (gc && b) {
			PurplePluginProtocolInfo *pi = PURPLE_PLUGIN_PROTOCOL_INFO(purple_connection_get_prpl(gc));
			gboolean done = FALSE;
			GList *m = pi->blist_node_menu((PurpleBlistNode *)b);
			walk_menu(m, "", n > 3 ? w[3] : NULL, b, &done);
			if (n > 3 && !done) emit("script-warning", "text", "no such menu item", "item", w[3], NULL);
		} else emit("script-warning", "text", "menu: no such buddy or not connected", "who", w[2], NULL);
	} else if (IS("actions", 1) || IS("action-do", 2)) {
		PurpleConnection *gc = conn(w[1]);
		if (gc) {
			PurplePlugin *p = purple_connection_get_prpl(gc);
			GList *l = PURPLE_PLUGIN_ACTIONS(p, gc), *i;
			for (i = l; i; i = i->next) {
				PurplePluginAction *pa = i->data;
				if (!pa) continue;
				if (n == 2) emit("action-item", "label", pa->label, NULL);
				else if (strstr(pa->label, w[2])) { pa->plugin = p; pa->context = gc; pa->callback(pa); break; }
			}
		}
	} else if (IS("form", 1)) {
		/* form key=value ... : answers for the next forms */
		int i;
		if (g_form) g_hash_table_destroy(g_form);
		g_form = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		for (i = 1; i < n; i++) {
			char *eq = strchr(w[i], '=');
			if (eq) g_hash_table_insert(g_form, g_strndup(w[i], eq - w[i]), g_strdup(eq + 1));
		}
	} else if (IS("answer", 1)) {
		g_autojoin = !strcmp(w[1], "yes");
	} else if (IS("chat-join", 2)) {
		PurpleConnection *gc = conn(w[1]);
		if (gc) {
			GHashTable *t = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
			int i;
			for (i = 2; i < n; i++) {
				char *eq = strchr(w[i], '=');
				if (eq) g_hash_table_insert(t, g_strndup(w[i], eq - w[i]), g_strdup(eq + 1));
			}
			serv_join_chat(gc, t);
			g_hash_table_destroy(t);
		}
	} else if (IS("chat-send", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConversation *c = a ? chat_conv(a, w[2]) : NULL;
		if (c) { char *t = unescape(w[3]); purple_conv_chat_send(PURPLE_CONV_CHAT(c), t); g_free(t); }
	} else if (IS("chat-invite", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConversation *c = a ? chat_conv(a, w[2]) : NULL;
		if (c) serv_chat_invite(purple_account_get_connection(a),
					purple_conv_chat_get_id(PURPLE_CONV_CHAT(c)), "", w[3]);
	} else if (IS("chat-leave", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConversation *c = a ? chat_conv(a, w[2]) : NULL;
		if (c) purple_conversation_destroy(c);
	} else if (IS("chat-users", 2)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConversation *c = a ? chat_conv(a, w[2]) : NULL;
		GList *l = c ? purple_conv_chat_get_users(PURPLE_CONV_CHAT(c)) : NULL;
		for (; l; l = l->next) {
			PurpleConvChatBuddy *cb = l->data;
			emit("chat-user", "acct", w[1], "chat", purple_conversation_get_name(c), "who", cb->name,
			     "operator", (cb->flags & PURPLE_CBFLAGS_OP) ? "1" : "0", NULL);
		}
	} else if (IS("chat-menu-do", 3)) {
		PurpleAccount *a = acct_of(w[1]);
		PurpleConversation *c = a ? chat_conv(a, w[2]) : NULL;
		PurpleConnection *gc = a ? purple_account_get_connection(a) : NULL;
		if (c && gc) {
			/* the menu needs a PurpleChat whose components carry the conversation */
			PurpleChat *ch = purple_blist_find_chat(a, purple_conversation_get_name(c));
			PurplePluginProtocolInfo *pi = PURPLE_PLUGIN_PROTOCOL_INFO(purple_connection_get_prpl(gc));
			if (!ch) {
				GHashTable *t = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
				g_hash_table_insert(t, g_strdup("_conv"), c);
				ch = purple_chat_new(a, purple_conversation_get_name(c), t);
			}
			{
				gboolean done = FALSE;
				GList *m = pi->blist_node_menu((PurpleBlistNode *)ch);
				walk_menu(m, "", strcmp(w[3], "?") ? w[3] : NULL, ch, &done);
			}
		}
	} else if (IS("roomlist", 1)) {
		PurpleConnection *gc = conn(w[1]);
		if (gc) { PurpleRoomlist *r = purple_roomlist_get_list(gc); if (g_rooms) purple_roomlist_unref(g_rooms); g_rooms = r; if (r) purple_roomlist_ref(r); }
	} else if (IS("echo", 1)) {
		emit("echo", "text", w[1], NULL);
	} else if (!strcmp(w[0], "quit")) {
		finish(0);
	} else {
		emit("script-error", "text", "bad command or too few arguments", "line", raw, NULL);
		finish(4);
	}
	g_strfreev(w);
	g_free(raw);
}

static gboolean g_stdin_eof = TRUE;

static gboolean run_script(gpointer unused)
{
	while (!g_waiting && !g_exit && !g_queue_is_empty(g_script)) {
		char *l = g_queue_pop_head(g_script);
		gboolean quit = !strcmp(g_strstrip(l), "quit");
		do_line(l);
		g_free(l);
		if (quit) return FALSE;
	}
	if (!g_waiting && g_queue_is_empty(g_script) && g_stdin_eof) finish(g_exit);
	return FALSE;
}

static gboolean stdin_ready(GIOChannel *ch, GIOCondition c, gpointer u)
{
	gchar *line = NULL;
	GIOStatus st = g_io_channel_read_line(ch, &line, NULL, NULL, NULL);
	if (st == G_IO_STATUS_NORMAL && line) {
		g_queue_push_tail(g_script, line);
		if (!g_waiting) run_script(NULL);
		return TRUE;
	}
	if (st == G_IO_STATUS_AGAIN) return TRUE;
	g_stdin_eof = TRUE;
	if (!g_waiting) run_script(NULL);
	return FALSE;
}

static gboolean deadline(gpointer u) { emit("deadline", NULL); finish(3); return FALSE; }

/* ------------------------------------------------------------ debug */

static void dbg_print(PurpleDebugLevel lv, const char *cat, const char *s)
{
	if (g_logf) { fprintf(g_logf, "%.3f %s: %s", (g_get_monotonic_time() - g_start) / 1e6, cat ? cat : "", s); fflush(g_logf); }
	if (!cat || strcmp(cat, "sipe")) return;
	if (g_dump && strstr(s, "MESSAGE START")) emit("sip", "text", s, NULL);
	/* said of every answer of the server about the user's own state, the first one at the end
	   of the sign-in */
	if (strstr(s, "sipe_status_and_note: switch to ")) emit("own-status", "text", s, NULL);
}
static gboolean dbg_enabled(PurpleDebugLevel lv, const char *cat) { return TRUE; }
static PurpleDebugUiOps debug_ops = { .print = dbg_print, .is_enabled = dbg_enabled };

static void ui_init(void)
{
	purple_notify_set_ui_ops(&notify_ops);
	purple_request_set_ui_ops(&request_ops);
	purple_accounts_set_ui_ops(&account_ops);
	purple_conversations_set_ui_ops(&conv_ops);
	purple_roomlist_set_ui_ops(&roomlist_ops);
}
static PurpleCoreUiOps core_ops = { .ui_prefs_init = NULL, .ui_init = ui_init };

int main(int argc, char **argv)
{
	const char *script = NULL, *udir = NULL, *logf = NULL;
	char tmpl[] = "/tmp/mynah-interop-XXXXXX";
	int dl = 60, i;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-s") && i + 1 < argc) script = argv[++i];
		else if (!strcmp(argv[i], "-d") && i + 1 < argc) dl = atoi(argv[++i]);
		else if (!strcmp(argv[i], "-u") && i + 1 < argc) udir = argv[++i];
		else if (!strcmp(argv[i], "-l") && i + 1 < argc) logf = argv[++i];
		else if (!strcmp(argv[i], "--dump")) g_dump = TRUE;
		else { fprintf(stderr, "usage: %s [-s script] [-d s] [-u dir] [-l log] [--dump]\n", argv[0]); return 4; }
	}
	signal(SIGPIPE, SIG_IGN);
	g_start = g_get_monotonic_time();
	if (!udir) udir = mkdtemp(tmpl);
	if (logf) g_logf = fopen(logf, "w");
	g_accounts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_texts = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_cards = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	g_script = g_queue_new();
	g_loop = g_main_loop_new(NULL, FALSE);

	purple_util_set_user_dir(udir);
	purple_debug_set_enabled(FALSE);
	purple_debug_set_verbose(TRUE);   /* makes sipe dump its SIP traffic ... */
	purple_debug_set_unsafe(TRUE);    /* ... including bodies */
	purple_debug_set_ui_ops(&debug_ops);
	purple_core_set_ui_ops(&core_ops);
	purple_eventloop_set_ui_ops(&loop_ops);
	purple_plugins_add_search_path("/usr/lib/purple-2");
	if (!purple_core_init(UI_ID)) { fprintf(stderr, "libpurple init failed\n"); return 4; }
	purple_set_blist(purple_blist_new());
	purple_prefs_load();
	purple_plugins_load_saved("/" UI_ID "/plugins");
	purple_prefs_set_bool("/purple/logging/log_ims", FALSE);
	purple_prefs_set_bool("/purple/logging/log_chats", FALSE);
	purple_prefs_set_bool("/purple/conversations/im/send_typing", TRUE);
	purple_prefs_set_bool("/purple/away/away_when_idle", FALSE);
	purple_prefs_set_string("/purple/away/idle_reporting", "none");
	hook_signals();
	if (!purple_find_prpl("prpl-sipe")) { emit("fatal", "text", "prpl-sipe not found", NULL); return 4; }
	purple_savedstatus_activate(purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE));

	if (script) {
		gchar *txt = NULL; GError *e = NULL;
		gchar **lines, **l;
		if (!g_file_get_contents(script, &txt, NULL, &e)) { fprintf(stderr, "%s\n", e->message); return 4; }
		lines = g_strsplit(txt, "\n", -1);
		for (l = lines; *l; l++) g_queue_push_tail(g_script, *l);
		g_free(lines); g_free(txt);
	} else {
		GIOChannel *ch = g_io_channel_unix_new(0);
		g_io_channel_set_flags(ch, G_IO_FLAG_NONBLOCK, NULL);
		g_stdin_eof = FALSE;
		g_io_add_watch(ch, G_IO_IN | G_IO_HUP, stdin_ready, NULL);
	}
	g_timeout_add_seconds(dl, deadline, NULL);
	g_timeout_add(50, look, NULL);
	g_idle_add(run_script, NULL);
	g_main_loop_run(g_loop);
	{	/* sign off politely, let the de-REGISTER go out */
		GHashTableIter it; gpointer k, v;
		g_hash_table_iter_init(&it, g_accounts);
		while (g_hash_table_iter_next(&it, &k, &v))
			if (purple_account_get_connection(v)) purple_account_disconnect(v);
	}
	emit("exit", "code", g_exit == 0 ? "0" : g_exit == 2 ? "2" : g_exit == 3 ? "3" : "4", NULL);
	fflush(NULL);
	_exit(g_exit);
}
