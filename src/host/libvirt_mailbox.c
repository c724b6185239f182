#include "host/libvirt_mailbox.h"

#include <pthread.h>
#include <stdlib.h>

struct lv_mailbox {
    pthread_mutex_t lock;
    unsigned references;
    uv_async_t *wake; // NULL when closed
    struct lv_message *first, *last;
};

struct lv_mailbox *lv_mailbox_new(uv_async_t *wake)
{
    struct lv_mailbox *mailbox = calloc(1, sizeof *mailbox);
    if (!mailbox)
        return NULL;
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->references = 1;
    mailbox->wake = wake;
    return mailbox;
}

struct lv_mailbox *lv_mailbox_hold(struct lv_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->references++;
    pthread_mutex_unlock(&mailbox->lock);
    return mailbox;
}

void lv_message_free(struct lv_message *message)
{
    if (message && message->domain)
        virDomainFree(message->domain);
    free(message);
}

static void free_list(struct lv_message *message)
{
    while (message) {
        struct lv_message *next = message->next;
        lv_message_free(message);
        message = next;
    }
}

void lv_mailbox_release(struct lv_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    bool last = --mailbox->references == 0;
    pthread_mutex_unlock(&mailbox->lock);
    if (!last)
        return;
    free_list(mailbox->first);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

void lv_mailbox_put(struct lv_mailbox *mailbox, struct lv_message *message)
{
    message->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool open = mailbox->wake != NULL;
    if (open) {
        if (mailbox->last)
            mailbox->last->next = message;
        else
            mailbox->first = message;
        mailbox->last = message;
        uv_async_send(mailbox->wake);
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (!open)
        lv_message_free(message);
}

struct lv_message *lv_mailbox_take(struct lv_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct lv_message *first = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

void lv_mailbox_close(struct lv_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->wake = NULL;
    struct lv_message *rest = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    free_list(rest);
}
